"""Several processes, one step: what each of them counted and learned is added up, and all begin with the same weights.

Lightning's DistributedDataParallel wrapper reduces gradients in one backward pass of one loss; a step here takes two
backward passes and a gradient at the generator's output, and may come in micro-batches. So gradients are added up
once, after the last of them, in the same order on every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET_BYTES = 32 << 20
"""Gradients travel in flat pieces of about this size: few messages, and little memory beside the gradients."""


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def add_up(tensor: Tensor) -> Tensor:
    """The sum of `tensor` over all processes, on each of them."""
    if world_size() > 1:
        tensor = tensor.clone()
        dist.all_reduce(tensor)
    return tensor


def add_up_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces each gradient by its sum over all processes."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    for bucket in buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        dist.all_reduce(flat)
        pieces = flat.split([gradient.numel() for gradient in bucket])
        torch._foreach_copy_(bucket, [piece.view_as(old) for piece, old in zip(pieces, bucket, strict=True)])


def buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in order, in lists of one number format and about BUCKET_BYTES each."""
    bucket: list[Tensor] = []
    size_bytes = 0
    for tensor in tensors:
        if bucket and (size_bytes >= BUCKET_BYTES or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size_bytes = [], 0
        bucket.append(tensor)
        size_bytes += tensor.numel() * tensor.element_size()
    if bucket:
        yield bucket


def same_weights(module: nn.Module) -> None:
    """Gives every process the parameters and buffers of process 0."""
    if world_size() == 1:
        return
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor, src=0)
