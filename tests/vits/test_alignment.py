"""Monotonic alignment search against the paper's algorithm written out cell by cell."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.alignment import log_likelihoods, maximum_path, path_from_durations


def masks(frames: list[int], phonemes: list[int]) -> torch.Tensor:
    mask = torch.zeros(len(frames), max(frames), max(phonemes))
    for row, (f, t) in enumerate(zip(frames, phonemes, strict=True)):
        mask[row, :f, :t] = 1
    return mask


@pytest.mark.parametrize("seed", range(6))
def test_paths_are_those_of_the_plain_algorithm(plain_path, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(1, 60, (8,), generator=generator).tolist()
    phonemes = [int(torch.randint(1, f + 1, (1,), generator=generator)) for f in frames]
    mask = masks(frames, phonemes)
    scores = torch.randn(mask.shape, generator=generator) * 50
    assert torch.equal(maximum_path(scores, mask), plain_path(scores, mask))


@pytest.mark.parametrize("seed", range(6))
def test_ties_are_broken_as_the_plain_algorithm_breaks_them(plain_path, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = masks([40, 40, 33, 12], [15, 1, 33, 5])
    scores = torch.randint(-1, 2, mask.shape, generator=generator).float()  # whole numbers: many equal sums
    assert torch.equal(maximum_path(scores, mask), plain_path(scores, mask))


def test_all_equal_scores_stay_with_a_phoneme_as_long_as_the_way_back_allows(plain_path) -> None:
    mask = masks([7], [3])
    path = maximum_path(torch.zeros_like(mask), mask)
    assert path[0].argmax(1).tolist() == [0, 1, 2, 2, 2, 2, 2]
    assert torch.equal(path, plain_path(torch.zeros_like(mask), mask))


def test_a_long_utterance_of_an_untrained_model_does_not_lose_the_path() -> None:
    # Sums of -1e6 over 3,000 frames pass any "very negative number" that marks what can't be reached.
    mask = masks([3000], [200])
    scores = torch.full(mask.shape, -1e6) + torch.randn(mask.shape)
    path = maximum_path(scores, mask)
    chosen = path[0].argmax(1)
    assert chosen[0] == 0
    assert chosen[-1] == 199
    assert set(torch.diff(chosen).tolist()) == {0, 1}


def test_the_best_path_is_found_among_all_paths() -> None:
    torch.manual_seed(0)
    scores = torch.randn(1, 8, 4)
    best = max(
        (float(sum(scores[0, f, t] for f, t in enumerate(path))), path)
        for path in monotonic_paths(frames=8, phonemes=4)
    )
    assert maximum_path(scores, torch.ones_like(scores))[0].argmax(1).tolist() == list(best[1])


def monotonic_paths(frames: int, phonemes: int) -> list[tuple[int, ...]]:
    paths: list[tuple[int, ...]] = [(0,)]
    for _ in range(frames - 1):
        paths = [(*path, path[-1] + step) for path in paths for step in (0, 1)]
    return [path for path in paths if path[-1] == phonemes - 1]


def test_fewer_frames_than_phonemes_still_gives_each_frame_one_phoneme() -> None:
    mask = masks([3, 9], [5, 5])
    path = maximum_path(torch.randn(mask.shape), mask)
    assert path[0].sum(1).tolist() == [1] * 3 + [0] * 6
    assert path[1].sum(1).tolist() == [1] * 9


def test_nothing_waits_for_the_device() -> None:
    # A tensor on the meta device has no values: whatever would read one (.item, .cpu, a branch) raises.
    scores = torch.randn(2, 30, 10, device="meta")
    assert maximum_path(scores, torch.ones_like(scores)).shape == (2, 30, 10)


def test_likelihoods_are_those_of_the_normal_distribution() -> None:
    torch.manual_seed(0)
    z_p, mean, logs = torch.randn(2, 6, 9), torch.randn(2, 6, 4), torch.randn(2, 6, 4) * 0.3
    normal = torch.distributions.Normal(mean[:, :, None, :], logs.exp()[:, :, None, :])
    expected = normal.log_prob(z_p[:, :, :, None]).sum(1)
    torch.testing.assert_close(log_likelihoods(z_p, mean, logs), expected, rtol=1e-4, atol=1e-4)


def test_durations_lay_out_the_path() -> None:
    durations = torch.tensor([[[2.0, 0.0, 3.0]], [[1.0, 1.0, 0.0]]])
    mask = masks([5, 2], [3, 3])
    path = path_from_durations(durations, mask)
    assert path[0].argmax(1).tolist() == [0, 0, 2, 2, 2]
    assert path[1, :2].argmax(1).tolist() == [0, 1]
    assert path[1, 2:].sum() == 0
    assert torch.equal(path.sum(1, keepdim=True), durations)
