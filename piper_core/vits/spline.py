"""Monotonic rational-quadratic splines (Durkan et al. 2019, section 3.1; Gregory & Delbourgo 1982)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

MIN_BIN_SHARE = 1e-3
"""Least width and height of a bin, as a share of the interval."""
MIN_SLOPE = 1e-3
"""Least slope at a knot."""


class _Bin(NamedTuple):
    """The bin that each input falls into; every field has the input's shape."""

    left: Tensor
    bottom: Tensor
    width: Tensor
    height: Tensor
    slope_left: Tensor
    slope_right: Tensor

    @property
    def slope(self) -> Tensor:
        """Mean slope of the bin: s_k of the paper."""
        return self.height / self.width

    @property
    def bend(self) -> Tensor:
        """slope_left + slope_right - 2 s: how far the bin is from a straight line."""
        return self.slope_left + self.slope_right - 2 * self.slope


def spline(x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Map x through the spline on [-bound, bound]; outside it is the identity ("linear tails").

    Args:
        x: [...].
        widths, heights: unnormalised sizes of K bins, [..., K].
        slopes: unnormalised slopes at the K - 1 inner knots, [..., K - 1]; at both ends the slope is 1.

    Returns: y [...], and log |dy/dx| [...] (eq. 4 and 5).
    """
    inside = (x >= -bound) & (x <= bound)
    # Clamping keeps what is outside, and its gradient, finite; its result is not used.
    x_in = x.clamp(-bound, bound)
    part = _find_bin(x_in, widths, heights, slopes, bound, by_height=False)
    place = (x_in - part.left) / part.width
    between = place * (1 - place)
    y = part.bottom + part.height * (part.slope * place**2 + part.slope_left * between) / (
        part.slope + part.bend * between
    )
    return torch.where(inside, y, x), torch.where(inside, _log_slope(part, place), torch.zeros_like(x))


def inverse_spline(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float) -> Tensor:
    """The x that `spline` maps to y: the stable root of a quadratic (eq. 6-8). Shapes as `spline`'s."""
    inside = (y >= -bound) & (y <= bound)
    y_in = y.clamp(-bound, bound)
    part = _find_bin(y_in, widths, heights, slopes, bound, by_height=True)
    rise = y_in - part.bottom
    a = part.height * (part.slope - part.slope_left) + rise * part.bend
    b = part.height * part.slope_left - rise * part.bend
    c = -part.slope * rise
    # Not negative in exact arithmetic; rounding may bring it just below 0.
    discriminant = (b**2 - 4 * a * c).clamp(min=0)
    place = 2 * c / (-b - torch.sqrt(discriminant))
    return torch.where(inside, place * part.width + part.left, y)


def _log_slope(part: _Bin, place: Tensor) -> Tensor:
    """Log of the derivative inside a bin (eq. 5). Shapes alike: [...]."""
    between = place * (1 - place)
    rising = part.slope_right * place**2 + 2 * part.slope * between + part.slope_left * (1 - place) ** 2
    return torch.log(part.slope**2 * rising) - 2 * torch.log(part.slope + part.bend * between)


def _find_bin(at: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float, *, by_height: bool) -> _Bin:
    knots_x = _knots(widths, bound)
    knots_y = _knots(heights, bound)
    knot_slopes = F.pad(MIN_SLOPE + F.softplus(slopes), (1, 1), value=1.0)
    inner = (knots_y if by_height else knots_x)[..., 1:-1]
    index = (at[..., None] >= inner).sum(dim=-1, keepdim=True)

    def pick(values: Tensor) -> Tensor:
        return values.gather(-1, index)[..., 0]

    return _Bin(
        left=pick(knots_x[..., :-1]),
        bottom=pick(knots_y[..., :-1]),
        width=pick(knots_x[..., 1:] - knots_x[..., :-1]),
        height=pick(knots_y[..., 1:] - knots_y[..., :-1]),
        slope_left=pick(knot_slopes[..., :-1]),
        slope_right=pick(knot_slopes[..., 1:]),
    )


def _knots(sizes: Tensor, bound: float) -> Tensor:
    """Unnormalised sizes of K bins [..., K] -> K + 1 rising knots from exactly -bound to exactly bound."""
    count = sizes.shape[-1]
    shares = MIN_BIN_SHARE + (1 - MIN_BIN_SHARE * count) * F.softmax(sizes, dim=-1)
    inner = 2 * bound * torch.cumsum(shares, dim=-1)[..., :-1] - bound
    return F.pad(F.pad(inner, (1, 0), value=-bound), (0, 1), value=bound)
