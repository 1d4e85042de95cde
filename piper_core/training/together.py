"""How the processes of one run meet: rank 0 tells the others what to train, and all of them what comes next."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy

from piper_core.features import FeatureSettings, Prepared
from piper_core.training import reduction
from piper_core.training.config import TrainingConfig
from piper_core.training.ranks import Place

PREPARING_LIMIT = timedelta(days=2)
"""How long the others wait for rank 0 to have prepared the features."""
STEP_LIMIT = timedelta(minutes=30)
"""Nothing that one process does alone takes longer: saving, speaking samples, a step in micro-batches."""
HOME_S = 60.0
"""How long rank 0, whose process may hold the store, stays when there is nothing to do, for the others to hear it."""
_WORK = "piper-studio/work"
_LOST_SIGNS = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")

GO, STOP, PAUSE = 0, 1, 2

Made = TypeVar("Made")


@dataclass(frozen=True)
class Work:
    """What all processes of a run have to know, as rank 0 prepared it."""

    config: TrainingConfig
    prepared: Prepared
    features: FeatureSettings
    speakers: dict[str, int]


class Meeting:
    """The place in `dist`'s store where the processes find each other."""

    def __init__(self, place: Place) -> None:
        """Reaches rank 0, and waits for it if it is not there yet."""
        self._place = place
        _name_rank_zero()
        found = dist.rendezvous("env://", place.rank, place.world, timeout=PREPARING_LIMIT)
        self._store, _, _ = next(iter(found))

    def tell(self, work: Work | None) -> None:
        """Rank 0 gives `work` to the others; None sends them home."""
        self._store.set(_WORK, pickle.dumps(work))
        if work is None:  # this process may hold the store: it stays until all have read it
            self._gone_home()

    def hear(self) -> Work | None:
        """What rank 0 tells."""
        self._store.wait([_WORK], PREPARING_LIMIT)
        work: Work | None = pickle.loads(self._store.get(_WORK))
        if work is None:
            self._gone_home()
        return work

    def _gone_home(self) -> None:
        everyone, deadline = "piper-studio/home", time.monotonic() + HOME_S
        self._store.add(everyone, 1)
        while self._place.rank == 0 and self._store.add(everyone, 0) < self._place.world:
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def join(self) -> None:
        """Makes the process group: gloo for what lies in memory, NCCL for what lies on cards."""
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(
            backend, store=self._store, rank=self._place.rank, world_size=self._place.world, timeout=STEP_LIMIT
        )


def _name_rank_zero() -> None:
    """Under srun: where rank 0 is, in torchrun's words."""
    if "RANK" in os.environ:
        return
    slurm = SLURMEnvironment()
    os.environ |= {
        "MASTER_ADDR": slurm.main_address, "MASTER_PORT": str(slurm.main_port), "RANK": str(slurm.global_rank()),
        "WORLD_SIZE": os.environ["SLURM_STEP_NUM_TASKS"], "LOCAL_RANK": str(slurm.local_rank()),
        "GROUP_RANK": str(slurm.node_rank()),
    }  # fmt: skip


class AddedUp(DDPStrategy):
    """Lightning's DDP without its wrapper: `VitsModule.step_gradients` adds the gradients up itself (see reduction)."""

    def __init__(self) -> None:
        super().__init__(cluster_environment=TorchElasticEnvironment(), timeout=STEP_LIMIT)

    def configure_ddp(self) -> None:
        """Only makes all processes begin with the same weights."""
        assert self.model is not None
        reduction.same_weights(self.model)

    def barrier(self, name: str | None = None, *rest: object, **more: object) -> None:
        """As Lightning asks, except after saving: rank 0 saves alone, also when another process is gone."""
        if name != "Trainer.save_checkpoint":
            super().barrier(name, *rest, **more)


def is_lost_peer(error: BaseException) -> bool:
    """Whether `error` says that another process of the group is gone."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _LOST_SIGNS)


def decided(decide: Callable[[], Made]) -> Made:
    """What rank 0 decides, on every process: a trial of its own on each could end differently."""
    if reduction.world_size() == 1:
        return decide()
    told = [decide() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(told, src=0)
    made = told[0]
    assert made is not None
    return made


class Word:
    """What rank 0 wants done between two steps: a command, and the number of the last request to release memory.

    It travels while the step computes, and is heard after the next one by all: nobody waits for it, and all processes
    stop after the same step.
    """

    def __init__(self) -> None:
        self._under_way: tuple[torch.Tensor, dist.Work] | None = None

    def next(self, command: int = GO, release_request: int = 0) -> tuple[int, int]:
        """Sends rank 0's word on its way, and returns the one before; alone, the word itself."""
        if reduction.world_size() == 1:
            return command, release_request
        heard = (GO, 0)
        if self._under_way is not None:
            word, work = self._under_way
            work.wait()
            heard = (int(word[0]), int(word[1]))
        word = torch.tensor([command, release_request])
        work = dist.broadcast(word, src=0, async_op=True)
        assert work is not None
        self._under_way = word, work
        return heard
