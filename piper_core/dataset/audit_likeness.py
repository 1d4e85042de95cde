"""How much a frame of the recording speaks for a frame of espeak-ng's voice: the log of a likelihood ratio.

Frames of the speaker and of espeak-ng, when they are the same sound, are taken as jointly Gaussian. Then, in the
canonical variates x, y of both (Hotelling 1936) with correlations r,

    log p(x, y) / (p(x) p(y)) = sum over k of  -log(1 - r^2) / 2 - (r^2 (x^2 + y^2) - 2 r x y) / (2 (1 - r^2))

nats: above 0 where the same sound is likelier than two that have nothing to do with each other. The correlations are
learnt from the clips themselves, as they lie beside their texts: what espeak-ng's /s/ sounds like in this voice.
Texts that belong elsewhere only lower them, since their frames agree with nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from piper_core.dataset.audit_cepstra import CEPSTRA, FEATURES

PRIOR_FRAMES = 1000
"""How many frames (of 20 ms) what was assumed before counts for, against those that were heard."""
_FARTHEST = 3.5  # standard deviations: a click must not outweigh a word
_RIDGE = 1e-3


@dataclass(frozen=True)
class Likeness:
    """A joint Gaussian of the recording's frames x and espeak-ng's frames y, both [FEATURES]."""

    mean_x: np.ndarray
    mean_y: np.ndarray
    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    correlations: np.ndarray
    """Canonical correlations, falling."""
    to_x: np.ndarray
    """[FEATURES, FEATURES]: from centred frames to canonical variates."""
    to_y: np.ndarray

    @classmethod
    def of(
        cls, mean_x: np.ndarray, mean_y: np.ndarray, cov_xx: np.ndarray, cov_yy: np.ndarray, cov_xy: np.ndarray
    ) -> Likeness:
        """From the moments: the canonical correlations are the singular values of the whitened cross-covariance."""
        from scipy.linalg import cholesky, solve_triangular, svd

        ridge = _RIDGE * np.eye(FEATURES)
        root_x, root_y = cholesky(cov_xx + ridge, lower=True), cholesky(cov_yy + ridge, lower=True)
        white = solve_triangular(root_y, solve_triangular(root_x, cov_xy, lower=True).T, lower=True).T
        left, correlations, right = svd(white)
        to_x, to_y = solve_triangular(root_x.T, left), solve_triangular(root_y.T, right.T)
        return cls(mean_x, mean_y, cov_xx, cov_yy, cov_xy, np.clip(correlations, 0.0, 0.98), to_x, to_y)

    @classmethod
    def assumed(cls) -> Likeness:
        """Before anything was heard: like features go together, the spectrum's broad shape more than its detail."""
        shape = 0.75 * np.exp(-np.arange(CEPSTRA) / 6)
        zero, one = np.zeros(FEATURES), np.eye(FEATURES)
        return cls.of(zero, zero, one, one, np.diag(np.concatenate([shape, 0.9 * shape])))

    def learnt(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Likeness:
        """After hearing `pairs` of frames ([n, FEATURES] each), row by row taken as the same sound."""
        count, sums, products = 0, np.zeros(2 * FEATURES), np.zeros((2 * FEATURES, 2 * FEATURES))
        for x, y in pairs:
            both = np.hstack([x, y]).astype(np.float64)
            count += len(both)
            sums += both.sum(axis=0)
            products += both.T @ both
        if not count:
            return self
        heard = count / (count + PRIOR_FRAMES)
        mean = sums / count
        cov = heard * (products / count - np.outer(mean, mean))
        cov += (1 - heard) * np.block([[self.cov_xx, self.cov_xy], [self.cov_xy.T, self.cov_yy]])
        mean = heard * mean + (1 - heard) * np.concatenate([self.mean_x, self.mean_y])
        n = FEATURES
        return Likeness.of(mean[:n], mean[n:], cov[:n, :n], cov[n:, n:], cov[:n, n:])

    def terms(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """float32 a [n, FEATURES], b [m, FEATURES], c [n], d [m]: a_i . b_j + c_i + d_j are nats for x_i beside y_j."""
        r = self.correlations
        gain = r / (1 - r * r)
        u = np.clip((x - self.mean_x) @ self.to_x, -_FARTHEST, _FARTHEST)
        v = np.clip((y - self.mean_y) @ self.to_y, -_FARTHEST, _FARTHEST)
        alone_u = -0.5 * (u * u) @ (r * gain) - 0.5 * np.log(1 - r * r).sum()
        alone_v = -0.5 * (v * v) @ (r * gain)
        single = np.float32
        return (u * gain).astype(single), v.astype(single), alone_u.astype(single), alone_v.astype(single)
