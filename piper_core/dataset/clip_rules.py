"""A clip, and the sentence that each crossed limit makes about it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from piper_core.dataset.audio import AudioHeader, ClipMeasurements, Unreadable
from piper_core.dataset.checks import Check, Finding, Limit, Severity
from piper_core.dataset.layouts import Utterance


@dataclass(frozen=True)
class Clip:
    """An utterance and what is known about its file."""

    utterance: Utterance
    path: str
    """Relative to the dataset's folder."""
    measured: ClipMeasurements | AudioHeader | Unreadable | None
    """None where the file is missing."""
    unknown_phonemes: tuple[str, ...] = ()
    """Phonemes of the text that a Piper voice has no id for, in the order they come."""
    phoneme_count: int | None = None
    """Phonemes of the text, spaces and punctuation aside (stress and length count, as in Piper's ids); None where texts
    were not turned into phonemes."""
    phonemes: Sequence[str] = ()
    """The phonemes of the text as Piper reads them, in the order they come, spaces and punctuation among them."""
    pitch_hz: float | None = None
    """Median F0; None where it was not measured or nothing is voiced."""
    transcript_cost: float | None = None
    """How badly text and audio agree: higher is worse; None where it was not asked for."""
    text_crashes: bool = False
    """espeak-ng ends the process that gives it this text."""

    @property
    def place(self) -> tuple[str, float]:
        """Where its audio lies: a file, and where in it the clip starts."""
        return self.path, self.utterance.offset_s

    def finding(
        self, check: Check, message: str, value: float | None = None, *, severity: Severity | None = None
    ) -> Finding:
        """A finding of `check` about this clip that comes from no limit."""
        said = self.utterance
        return check.finding(
            message, utterance_id=said.utterance_id, path=self.path, row=said.row, value=value, severity=severity
        )

    def beyond(self, limit: Limit, threshold: float, values: Mapping[str, float]) -> Finding:
        """The finding that this clip has crossed `limit`; `values` are its columns."""
        said = self.utterance
        return Finding(
            limit.code, limit.severity, said.utterance_id, self.path, _SENTENCES[limit.key](self, values),
            values[limit.measure], threshold, limit.unit, limit.source, said.row, limit=limit.key,
        )  # fmt: skip


_Sentence = Callable[[Clip, Mapping[str, float]], str]


def _unknown_phonemes(clip: Clip, _: Mapping[str, float]) -> str:
    counts = Counter(clip.unknown_phonemes).items()
    listed = ", ".join(f"{phoneme} ({count} times)" if count > 1 else phoneme for phoneme, count in counts)
    return f"Piper has no id for the phoneme {listed}; it is left out of the training."


def _few_bits(clip: Clip, values: Mapping[str, float]) -> str:
    kept = clip.measured.subtype if isinstance(clip.measured, AudioHeader | ClipMeasurements) else "an encoding"
    return f"Is stored as {kept}, with about {values['sample_bits']:.0f} bits a sample: its noise is heard and learned."


def _silent(_: Clip, values: Mapping[str, float]) -> str:
    loudest_dbfs = values["loudest_frame_dbfs"]
    if loudest_dbfs < -150:
        return "Nothing is heard: all its samples are zero."
    return f"Nothing is heard: its loudest moment has {loudest_dbfs:.0f} dBFS."


def _clipped(_: Clip, values: Mapping[str, float]) -> str:
    runs = values["clipped_runs"]
    places = "one place" if runs == 1 else f"{runs:,.0f} places"
    share = values["clipped_percent"]
    where = f"at full scale in {places}, {share:.2g} % of its samples" if share else f"flat in {places}"
    return f"Is cut off {where}."


def _level(_: Clip, values: Mapping[str, float]) -> str:
    off_lu = values["loudness_off_lu"]
    word = "louder" if off_lu > 0 else "quieter"
    return f"Is {abs(off_lu):.0f} LU {word} than most clips of its speaker ({values['loudness_lufs']:.0f} LUFS)."


def _rate(_: Clip, values: Mapping[str, float]) -> str:
    unit = "characters" if math.isnan(values["phoneme_count"]) else "phonemes"
    word = "fast" if values["rate_off_iqr"] > 0 else "slowly"
    usual = values["rate"] - values["rate_off"]
    return f"Is spoken {word} for its text: {values['rate']:.1f} {unit} a second, its speaker's middle is {usual:.1f}."


def _pitch(_: Clip, values: Mapping[str, float]) -> str:
    off = values["pitch_off_semitones"]
    word = "higher" if off > 0 else "lower"
    pitch = f"{abs(off):.1f} semitones {word} than its speaker's middle ({values['pitch_hz']:.0f} Hz)"
    return f"Is {pitch}, as another voice may be."


_SENTENCES: Mapping[str, _Sentence] = {
    "non-finite": lambda _, v: f"Holds {v['non_finite_samples']:,.0f} samples that are NaN or infinite.",
    "unknown-phoneme": _unknown_phonemes,
    "sample-rate": lambda _, v: f"Has {v['sample_rate']:,.0f} Hz, below the voice's rate; it will be upsampled.",
    "sample-rate-high": lambda _, v: f"Has {v['sample_rate']:,.0f} Hz, above the voice's rate; it will be downsampled.",
    "channels": lambda _, v: f"Has {v['channels']:.0f} channels; their mean is trained on.",
    "bit-depth": _few_bits,
    "duration-short": lambda _, v: f"Lasts {v['duration_s']:.2f} s, less than one training segment.",
    "duration-uncut": lambda _, v: (
        f"Lasts {v['duration_s'] / 60:.0f} minutes: a recording to be cut into sentences, and no clip."
    ),
    "duration-long": lambda _, v: f"Lasts {v['duration_s']:.1f} s; memory grows with the longest clip.",
    "silent": _silent,
    "clipping-share": _clipped,
    "clipping": _clipped,
    "dc-offset": lambda _, v: f"Is off centre by {v['dc_offset_percent']:.1f} % of full scale.",
    "loudness-loud": _level,
    "loudness-quiet": _level,
    "noise": lambda _, v: f"Lies only {v['floor_snr_db']:.0f} dB above its own noise.",
    "noise-outlier": lambda _, v: (
        f"Is noisier than its speaker's other clips by {-v['floor_snr_off_db']:.0f} dB"
        f" ({v['floor_snr_db']:.0f} dB above its own noise)."
    ),
    "bandwidth": lambda _, v: (
        f"Holds nothing above {v['bandwidth_hz'] / 1000:.1f} kHz, though its rate has room for more:"
        " it was upsampled or coded narrowly."
    ),
    "edge-silence": lambda _, v: (
        f"{v['leading_silence_s']:.1f} s of silence before the speech, {v['trailing_silence_s']:.1f} s after it."
    ),
    "internal-pause": lambda _, v: f"Pauses for {v['longest_pause_s']:.1f} s inside the speech.",
    "rate-fast": _rate,
    "rate-slow": _rate,
    "pitch-high": _pitch,
    "pitch-low": _pitch,
    "transcript-unrelated": lambda _, v: (
        f"Does not say its text, by the sound of it (cost {v['transcript_cost']:.2f}; right texts are below 0)."
    ),
    "transcript-mismatch": lambda _, v: (
        f"Does not quite sound like its text (cost {v['transcript_cost']:.2f}; most right texts are below -1)."
    ),
}
"""Key of a limit -> what is said of a clip that has crossed it."""
