"""Rational-quadratic splines: beside Piper's, and by what a monotonic spline is."""

from __future__ import annotations

import pytest
import torch

from piper_core.vits.spline import inverse_spline, spline

BOUND = 5.0


@pytest.fixture
def shape() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 1, 60, 10), torch.randn(2, 1, 60, 10), torch.randn(2, 1, 60, 9)


def points() -> torch.Tensor:
    """Inside, outside and exactly on the bounds."""
    torch.manual_seed(1)
    x = torch.randn(2, 1, 60) * 4
    x[0, 0, :3] = torch.tensor([-BOUND, BOUND, 0.0])
    return x


@pytest.mark.parametrize("inverse", [False, True])
def test_same_as_pipers(piper_models, close, shape, inverse: bool) -> None:
    from piper.train.vits.transforms import piecewise_rational_quadratic_transform

    x = points()
    theirs, their_log_slope = piecewise_rational_quadratic_transform(
        x, *(part.clone() for part in shape), inverse=inverse, tails="linear", tail_bound=BOUND
    )
    if inverse:
        close(inverse_spline(x, *shape, BOUND), theirs)
    else:
        ours, log_slope = spline(x, *shape, BOUND)
        close(ours, theirs)
        close(log_slope, their_log_slope)


def test_inverse_undoes_it(shape) -> None:
    x = points()
    y, _ = spline(x, *shape, BOUND)
    torch.testing.assert_close(inverse_spline(y, *shape, BOUND), x, rtol=1e-4, atol=1e-4)


def test_log_slope_is_the_logarithm_of_the_derivative(shape) -> None:
    doubles = [part.double() for part in shape]
    x = points().double().requires_grad_()
    y, log_slope = spline(x, *doubles, BOUND)
    (derivative,) = torch.autograd.grad(y.sum(), x)
    inside = x.abs() < BOUND
    torch.testing.assert_close(log_slope[inside], derivative[inside].log())
    assert (log_slope[~inside & (x.abs() > BOUND)] == 0).all()


def test_rises_everywhere_and_keeps_the_tails() -> None:
    torch.manual_seed(2)
    x = torch.linspace(-7, 7, 2001, dtype=torch.float64)
    widths, heights, slopes = (torch.randn(1, size, dtype=torch.float64).expand(2001, -1) * 2 for size in (10, 10, 9))
    y, _ = spline(x, widths, heights, slopes, BOUND)
    assert (torch.diff(y) > 0).all()
    assert torch.equal(y[x.abs() > BOUND], x[x.abs() > BOUND])


def test_gradients_are_finite_far_outside(shape) -> None:
    parts = [part.clone().requires_grad_() for part in shape]
    x = torch.full((2, 1, 60), 1e30, requires_grad=True)  # its square is infinite
    y, log_slope = spline(x, *parts, BOUND)
    (y.sum() + log_slope.sum()).backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    assert all((part.grad == 0).all() for part in parts)
