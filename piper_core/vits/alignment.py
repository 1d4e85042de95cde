"""Which phoneme each frame belongs to: searched for in training, laid out from durations when speaking."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_likelihoods(z_p: Tensor, m_p: Tensor, logs_p: Tensor) -> Tensor:
    """Log density of every frame under every phoneme's prior, N(z_p[f]; m_p[t], exp(logs_p[t])).

    The square is multiplied out, so that two matrix products do the work: [F, C] @ [C, T].

    Shape: z_p [B, C, F], m_p and logs_p [B, C, T] -> [B, F, T].
    """
    precision = torch.exp(-2 * logs_p)
    of_phoneme = (-0.5 * math.log(2 * math.pi) - logs_p - 0.5 * m_p**2 * precision).sum(1, keepdim=True)
    frames = z_p.transpose(1, 2)
    return of_phoneme + (-0.5 * frames**2) @ precision + frames @ (m_p * precision)


def maximum_path(scores: Tensor, mask: Tensor) -> Tensor:
    """Monotonic alignment search: the best way to give each frame a phoneme, in order, none left out.

    Dynamic programme Q[f, t] = scores[f, t] + max(Q[f-1, t-1], Q[f-1, t]) and the way back (Glow-TTS, Kim et al.
    2020, algorithm 1). Of two equal ways the one that stays with its phoneme is taken. All utterances and phonemes
    at once; the loop runs over frames, and nothing waits for the device.

    An utterance with fewer frames than phonemes has no such path; all its frames go to its last phoneme.

    Args:
        scores: log likelihood of frame f under phoneme t, [B, F, T].
        mask: 1 where frame and phoneme are both real, [B, F, T].

    Returns: 1 where frame f belongs to phoneme t, else 0, [B, F, T], of the scores' dtype.
    """
    with torch.no_grad():
        batch, frames, phonemes = scores.shape
        frame_major = scores.float().transpose(0, 1).contiguous()
        # best[f + 1, :, t + 1] is Q[f, t]; the border makes every step the same.
        best = frame_major.new_full((frames + 1, batch, phonemes + 1), -math.inf)
        best[0, :, 0] = 0
        from_previous = best[:-1, :, :-1]
        from_same = best[:-1, :, 1:]
        steps = zip(from_previous, from_same, best[1:, :, 1:], frame_major, strict=True)
        for previous, same, now, score in steps:
            torch.add(torch.maximum(previous, same), score, out=now)

        real_frames = mask[:, :, 0].transpose(0, 1) > 0  # [F, B]
        advances = ((from_previous > from_same) & real_frames[:, :, None]).long()
        phoneme = mask[:, 0, :].sum(1, keepdim=True).long() - 1  # [B, 1], each utterance's last
        chosen = []
        for advance in advances.flip(0):
            chosen.append(phoneme)
            phoneme = phoneme - advance.gather(1, phoneme)
        index = torch.stack(chosen[::-1], dim=1)  # [B, F, 1]
        return torch.zeros_like(scores).scatter_(2, index, 1) * mask


def path_from_durations(durations: Tensor, mask: Tensor) -> Tensor:
    """The path in which phoneme t lasts `durations[t]` frames.

    Shape: durations [B, 1, T], whole numbers; mask [B, F, T] -> [B, F, T], 0 or 1.
    """
    ends = torch.cumsum(durations, dim=2)
    frame = torch.arange(mask.shape[1], device=mask.device)[None, :, None]
    return ((frame >= ends - durations) & (frame < ends)).to(mask.dtype) * mask
