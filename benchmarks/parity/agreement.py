"""How far two training steps are apart, and whether that is rounding.

float32 sums of the same terms in another order differ in the last bits; at a kink (LeakyReLU, |x|) a last bit decides
between two slopes, and a gradient is then off by up to a thousandth, on either side. Where two differ by more than the
tolerance, both steps are taken in float64 too: there they have to agree to 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

Step = Mapping[str, Mapping[str, Tensor]]
"""`losses` and `gradients` by name, float64 whatever they were computed in."""

TOLERANCE = 1e-5
"""Of a loss, and of a gradient's norm."""
TOLERANCE_FLOAT64 = 1e-6
"""Of a gradient's norm in float64; mel filters and windows are float32 tables there too."""
KINKS = 1e-2
"""What float32 may be off by where float64 agrees, of a gradient's norm."""
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
    """Gradients beyond TOLERANCE that agree in float64."""
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
            told += f", {self.beyond} beyond {TOLERANCE:g} that agree to {TOLERANCE_FLOAT64:g} in float64"
        return f"{told}; {self.nothing} are 0 on paper"


def compare(ours: Step, peer: Step, exact: tuple[Step, Step] | None = None) -> Agreement:
    """Holds our step against the peer's; `exact` is both in float64, where they were taken."""
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
        if exact is not None and apart <= KINKS * norm and _apart_in_float64(exact, name) <= TOLERANCE_FLOAT64:
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


def _apart_in_float64(exact: tuple[Step, Step], name: str) -> float:
    mine, theirs = (step["gradients"][name] for step in exact)
    return float((mine - theirs).norm() / theirs.norm())


def _side(name: str) -> str:
    return "generator" if name.startswith("model_g.") else "discriminators"


def _norm(gradients: Mapping[str, Tensor], side: str) -> float:
    return sum(float(g.norm()) ** 2 for name, g in gradients.items() if _side(name) == side) ** 0.5
