"""The same random numbers in two programs that draw them in another order.

Two networks with dropout differ in a step by chance alone. Inside `same_noise` every draw is one of a stream of its
own for each kind and shape, so that both get the same however their draws of other shapes lie between. Numbers are
drawn in float32 and then taken to the asked type: a step in float64 has the noise of the one in float32.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


@contextmanager
def same_noise(seed: int = 0) -> Iterator[Counter[tuple[str, tuple[int, ...]]]]:
    """Replaces torch.randn, randn_like, rand, rand_like, dropout and bernoulli_; yields how often each distribution and
    shape was drawn."""
    drawn: Counter[tuple[str, tuple[int, ...]]] = Counter()

    def draw(kind: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        name = kind.__name__
        drawn[name, shape] += 1
        key = f"{seed} {name} {shape} {drawn[name, shape]}"
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        return kind(shape, generator=generator, dtype=torch.float32, device="cpu")

    def plain(kind: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def replacement(*size: Any, dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
            shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)
            return draw(kind, shape).to(device=device, dtype=dtype or torch.get_default_dtype())

        return replacement

    def like(kind: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def replacement(other: Tensor, dtype: Any = None, **_: Any) -> Tensor:
            return draw(kind, tuple(other.shape)).to(device=other.device, dtype=dtype or other.dtype)

        return replacement

    rand, randn = torch.rand, torch.randn

    def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return x
        kept = draw(rand, tuple(x.shape)).to(x.device) >= p
        return x * kept / (1 - p)

    def bernoulli(x: Tensor, p: float = 0.5, **_: Any) -> Tensor:
        return x.copy_(draw(rand, tuple(x.shape)) >= 1 - p)  # as dropout: what it keeps

    former = {(owner, name): getattr(owner, name) for owner, name in _REPLACED}
    replaced = (plain(randn), like(randn), plain(rand), like(rand), dropout, bernoulli)
    try:
        for (owner, name), replacement in zip(_REPLACED, replaced, strict=True):
            setattr(owner, name, replacement)
        yield drawn
    finally:
        for (owner, name), function in former.items():
            setattr(owner, name, function)


_REPLACED: tuple[tuple[Any, str], ...] = (
    (torch, "randn"), (torch, "randn_like"), (torch, "rand"), (torch, "rand_like"), (F, "dropout"),
    (Tensor, "bernoulli_"),
)  # fmt: skip
