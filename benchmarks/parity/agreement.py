"""How far two training steps are apart, and whether that is rounding.

float32 sums of the same terms in another order differ. Where two gradients differ by more than the tolerance, both are
held against the peer's in float64, and ours may not be further from it than the peer's own, times a margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Step = Mapping[str, Mapping[str, Tensor]]
"""`losses` and `gradients` by name, float64 whatever they were computed in."""

TOLERANCE = 1e-5
"""Of a loss, and of a gradient's norm."""
MARGIN = 2.0
NEXT_TO_NOTHING = 1e-7
"""Of the whole side's gradient norm. A gradient below it is 0 on paper (as of the bias of attention's keys, which
softmax takes away again): only rounding is left of it, and its relative difference says nothing."""


@dataclass(frozen=True)
class Agreement:
    """What a comparison found."""

    parameters: int
    """Gradients compared."""
    largest_loss: float
    """Largest relative difference of a loss."""
    largest: float
    """Largest |difference| / |gradient|, but for those that are 0 on paper."""
    largest_name: str
    beyond: int
    """Gradients beyond TOLERANCE that are as near to float64's as the peer's own."""
    nothing: int
    """Gradients that are 0 on paper."""
    faults: tuple[str, ...]
    """What is neither."""

    @property
    def line(self) -> str:
        """For people."""
        told = f"losses within {self.largest_loss:.1e}, {self.parameters} gradients within {self.largest:.1e}"
        told += f" of their norm ({self.largest_name})"
        if self.beyond:
            told += f", {self.beyond} beyond {TOLERANCE:g} but as near to float64's as the peer's"
        return f"{told}; {self.nothing} are 0 on paper"


def compare(ours: Step, peer: Step, exact: Step | None = None) -> Agreement:
    """Holds our step against the peer's; `exact` is the peer's in float64, where there is one."""
    mine, theirs = ours["gradients"], peer["gradients"]
    faults: list[str] = []
    if mine.keys() != theirs.keys():
        faults.append(f"gradients of other parameters, as {sorted(mine.keys() ^ theirs.keys())[:3]}")
    largest_loss = _losses(ours["losses"], peer["losses"], faults)
    whole = {side: _norm(theirs, side) for side in {_side(name) for name in theirs}}
    beyond = nothing = 0
    largest, largest_name = 0.0, "none"
    for name in sorted(mine.keys() & theirs.keys()):
        norm, apart = float(theirs[name].norm()), float((mine[name] - theirs[name]).norm())
        if max(norm, apart) <= NEXT_TO_NOTHING * whole[_side(name)]:
            nothing += 1
            continue
        if not apart <= largest * norm:
            largest, largest_name = apart / norm if norm else float("inf"), name
        if apart <= TOLERANCE * norm:
            continue
        if exact is not None and _distance(mine, exact, name) <= MARGIN * _distance(theirs, exact, name):
            beyond += 1
        else:
            faults.append(f"{name} is {apart / norm if norm else float('inf'):.1e} of its norm away")
    return Agreement(len(mine), largest_loss, largest, largest_name, beyond, nothing, tuple(faults))


def _losses(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor], faults: list[str]) -> float:
    if mine.keys() != theirs.keys():
        faults.append(f"other losses: {', '.join(sorted(mine.keys() ^ theirs.keys()))}")
    largest = 0.0
    for name in sorted(mine.keys() & theirs.keys()):
        my_value, value = float(mine[name]), float(theirs[name])
        apart = abs(my_value - value) / abs(value)
        largest = max(largest, apart)
        if not apart <= TOLERANCE:
            faults.append(f"loss {name} is {my_value:.9g}, the peer's {value:.9g}")
    return largest


def _distance(step: Mapping[str, Tensor], exact: Step, name: str) -> float:
    return float((step[name] - exact["gradients"][name]).norm())


def _side(name: str) -> str:
    return "generator" if name.startswith("model_g.") else "discriminators"


def _norm(gradients: Mapping[str, Tensor], side: str) -> float:
    return sum(float(g.norm()) ** 2 for name, g in gradients.items() if _side(name) == side) ** 0.5
