"""Figures of a run, and how quantities and states read: pure, so tested by what they must hold."""

from __future__ import annotations

import numpy as np
import pytest

from pages.components import quantities
from pages.components.runs import run_state, training_figures
from pages.components.runs.training_figures import Curve, curves, learning_rate, losses, smooth
from piper_core.runs.status import STATES, CheckpointRef, Progress, TrainingStatus

STEPS = np.arange(1, 401)


def curve(name: str = "mel", steps: np.ndarray = STEPS) -> Curve:
    return Curve(name, steps, 50 * np.exp(-steps / 100) + 1)


def test_smoothing_leaves_a_level_curve_level() -> None:
    assert smooth(STEPS, np.full(400, 7.0), 0.95) == pytest.approx(np.full(400, 7.0))


def test_smoothing_of_zero_changes_nothing() -> None:
    noise = np.random.default_rng(1).normal(size=400)
    assert np.array_equal(smooth(STEPS, noise, 0.0), noise)


def test_smoothing_lessens_noise_as_the_theory_says() -> None:
    # An exponential average of white noise keeps (1 - w) / (1 + w) of its variance.
    steps = np.arange(20_000)
    smoothed = smooth(steps, np.random.default_rng(2).normal(size=20_000), 0.9)[1000:]
    assert smoothed.var() == pytest.approx(0.1 / 1.9, rel=0.1)


def test_a_thinned_curve_is_smoothed_as_far_behind_as_the_whole_one() -> None:
    # Half of the points far apart, half near: over the far ones less may be kept.
    near_and_far = np.concatenate([np.arange(100), np.arange(100, 5000, 50)])
    ramp = smooth(near_and_far, near_and_far.astype(float), 0.9)
    assert near_and_far[-1] - ramp[-1] < 50, "across a wide gap the average is the newest point"
    assert 7 < 99 - ramp[99] < 10, "an exponential average lags w / (1 - w) steps behind a ramp"


def test_curves_are_those_that_were_measured() -> None:
    points = {"mel": (np.array([1, 2, 3]), np.array([3.0, np.nan, 1.0])), "kl": (np.array([1]), np.array([np.nan]))}
    empty = (np.empty(0, np.int64), np.empty(0))
    found = curves(lambda name: points.get(name, empty), ("mel", "kl", "val_mel"))
    assert [one.name for one in found] == ["mel"]
    assert found[0].steps.tolist() == [1, 3]
    assert found[0].values.tolist() == [3.0, 1.0]


def test_losses_show_each_curve_smoothed_over_what_was_measured() -> None:
    rare = Curve("val_mel", np.array([100, 200]), np.array([30.0, 20.0]))
    figure = losses([curve(), rare], "Mel loss", smoothing=0.9)
    measured, smoothed, validation = figure.data
    assert measured.y == pytest.approx(curve().values, rel=1e-6)
    assert smoothed.y == pytest.approx(smooth(STEPS, curve().values, 0.9), rel=1e-6)
    assert validation.y == pytest.approx([30.0, 20.0]), "few points are shown as they are"
    assert validation.mode == "lines+markers"
    assert [trace.name for trace in figure.data if trace.name] == ["training", "validation"]
    assert measured.line.color == smoothed.line.color != validation.line.color


def test_unsmoothed_losses_are_drawn_once() -> None:
    assert len(losses([curve()], "Mel loss").data) == 1


def test_zoom_is_kept_while_data_comes_in_and_not_on_another_axis() -> None:
    first = losses([curve()], "Mel loss", revision="run")
    later = losses([curve(steps=np.arange(1, 900))], "Mel loss", revision="run")
    logarithmic = losses([curve()], "Mel loss", revision="run", log_axis=True)
    other_run = losses([curve()], "Mel loss", revision="other")
    assert first.layout.uirevision == later.layout.uirevision
    assert len({figure.layout.uirevision for figure in (first, logarithmic, other_run)}) == 3
    assert (first.layout.yaxis.type, logarithmic.layout.yaxis.type) == ("linear", "log")


def test_learning_rate_is_a_staircase() -> None:
    figure = learning_rate([Curve("learning_rate", STEPS, 2e-4 * 0.999 ** (STEPS // 100))])
    assert figure.data[0].line.shape == "hv"
    assert not learning_rate([]).data


def test_every_loss_of_the_status_has_a_chart_and_a_label() -> None:
    shown = {name for chart in training_figures.LOSS_CHARTS for name in chart.names}
    status = {"loss_g", "loss_d", "mel", "kl", "dur", "fm", "gen", "disc", "val_mel"}
    assert shown == status | {"mrd_gen", "mrd_fm", "mrd_disc"}
    assert shown <= training_figures.LABELS.keys()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (quantities.size(0), "0 B"),
        (quantities.size(1536), "1.5 kB"),
        (quantities.size(10 * 1024**3), "10.0 GB"),
        (quantities.size(200 * 1024**2), "200 MB"),
        (quantities.duration(0.5), "30 s"),
        (quantities.duration(45.2), "45 min"),
        (quantities.duration(95), "1 h 35 min"),
        (quantities.duration(119.7), "2 h 00 min"),
        (quantities.duration(60 * 72), "3.0 days"),
        (quantities.duration_range(43, 48), "43 to 48 min"),
        (quantities.duration_range(45.1, 45.2), "about 45 min"),
        (quantities.duration_range(500, 640), "8.3 to 10.7 h"),
        (quantities.duration_range(0.4, 0.6), "24 to 36 s"),
        (quantities.ago(2), "just now"),
        (quantities.ago(200), "3 min ago"),
        (quantities.rate(0.0421), "0.042"),
        (quantities.rate(2.806), "2.81"),
        (quantities.rate(1234), "1,234"),
    ],
)
def test_quantities_read_as_people_say_them(said: str, meant: str) -> None:
    assert said == meant


def test_every_state_has_a_look() -> None:
    assert set(run_state.LOOKS) == set(STATES)
    assert run_state.look(None).word == "Not started"


def test_progress_counts_clips_while_preparing_and_steps_after() -> None:
    preparing = TrainingStatus("preparing", progress=Progress(prepared_clips=15, total_clips=60))
    training = TrainingStatus("training", progress=Progress(0, 1250, 10_000, 12.5, prepared_clips=60, total_clips=60))
    assert run_state.share(preparing.progress) == 0.25
    assert run_state.progress_line(preparing) == "Preparing: 15 of 60 clips"
    assert run_state.share(training.progress) == 0.125
    assert run_state.progress_line(training) == "Step 1,250 of 10,000 · 12.5 %"


def test_time_left_says_why_it_is_not_known() -> None:
    known = Progress(1, 10, 100, 10.0, 45.2, 43.0, 48.0)
    assert run_state.time_left(TrainingStatus("training", progress=known)) == ("45 min", "43 to 48 min")
    assert run_state.time_left(TrainingStatus("training", progress=Progress(step=1))) == ("–", "soon known")
    assert run_state.time_left(TrainingStatus("paused", progress=known)) == ("–", "paused")
    assert run_state.time_left(TrainingStatus("crashed", progress=known)) == ("–", "the run has ended")


def test_the_message_does_not_say_again_what_stands_beside_it() -> None:
    silent = "Training: step 5 of 2000. No word from the trainer for 3 min; its process is alive."
    assert run_state.message(TrainingStatus("training", "Training: step 5 of 2000.")) == ""
    assert run_state.message(TrainingStatus("training", silent)).startswith("No word")
    assert run_state.message(TrainingStatus("crashed", "It is gone. Resume goes on from step 40.")) == "It is gone."
    assert run_state.message(TrainingStatus("preparing", "Preparing clips.")) == "Preparing clips."


def test_resume_says_what_is_lost() -> None:
    crashed = TrainingStatus("crashed", progress=Progress(step=1250), checkpoint=CheckpointRef("last.ckpt", 1200))
    assert "step 1,200; the 50 steps since then are done again" in run_state.resume_sentence(crashed)
    assert "no checkpoint" in run_state.resume_sentence(TrainingStatus("crashed"))
    assert [run_state.resumable(TrainingStatus(state)) for state in ("crashed", "stopped", "failed")] == [True] * 3
    assert not run_state.resumable(TrainingStatus("training"))
    assert not run_state.resumable(TrainingStatus("finished"))
