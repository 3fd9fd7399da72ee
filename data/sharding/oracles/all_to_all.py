"""The all-to-all of real processes: gloo between processors, NCCL between GPUs (docs/papers/neuroshard.md#2.5)."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor
from torch.distributed import _functional_collectives as collectives

from data.sharding.oracles.machine import this_machine
from data.sharding.oracles.timing import gradients
from data.sharding.tables import EmbeddingTables
from runs.errors import ConfigError, at_least
from runs.local_processes import on_processes
from runs.store.cache import ArtifactCache, Collection, npz_arrays, npz_bytes

Clock = Literal["processor", "wall"]


class Communication(Protocol):
    """Prices the two all-to-all of a step; every :class:`~data.sharding.oracles.oracle.CostOracle` is one."""

    def check(self, devices: int) -> None: ...

    def identity(self) -> Mapping[str, Any]: ...

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]: ...

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]: ...


class Exchange(NamedTuple):
    """Who sends how many samples' embeddings to whom.

    Parameters
    ----------
    samples
        Of the batch, by the device that goes on with them.
    dims
        Sums of dimensions, by the device that looks them up.
    """

    samples: Sequence[int]
    dims: Sequence[int]

    @classmethod
    def of(cls, batch: int, dims: Sequence[int]) -> Exchange:
        """The batch in parts as equal as they can be."""
        devices = len(dims)
        return cls([batch // devices + (rank < batch % devices) for rank in range(devices)], [int(dim) for dim in dims])

    def __call__(self, local: Float[Tensor, "batch dims"], rank: int) -> Float[Tensor, " received"]:
        """What device ``rank`` gets for its own samples, device after device; gradients find their way back."""
        sent = [count * self.dims[rank] for count in self.samples]
        received = [self.samples[rank] * dim for dim in self.dims]
        group = torch.distributed.group.WORLD
        assert group is not None
        return collectives.wait_tensor(collectives.all_to_all_single_autograd(local.reshape(-1), received, sent, group))


def import_of_exchanges() -> None:
    """Import what torch's first exchange does, once instead of once in every process that is forked."""
    for module in ("torch._dynamo", "torch.distributed.fsdp", "torch.distributed.tensor"):
        importlib.import_module(module)


def now(clock: Clock, device: str) -> float:
    """Seconds, once all that this process has given to its GPU is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if clock == "processor" else time.perf_counter()


class AllToAll:
    """Measures both all-to-all between as many processes as there are devices.

    Parameters
    ----------
    backend
        ``gloo``, or ``nccl`` with a GPU for each.
    clock
        ``processor``: what a process spends of a processor, which other programs do not change, but which does not count
        latency; the waiting for the device that begins last is added. ``wall``: what a device sees; it begins late itself.
    warmup, repeats
        Exchanges before, and those that are timed.
    cache
        Folder of the artifact cache; None: nothing is kept.

    Raises
    ------
    ConfigError
        A setting is out of its range.
    """

    def __init__(
        self,
        backend: str = "gloo",
        clock: Clock = "processor",
        warmup: int = 2,
        repeats: int = 8,
        cache: str | Path | None = None,
    ) -> None:
        if backend not in ("gloo", "nccl") or clock not in ("processor", "wall"):
            raise ConfigError(f"backend is '{backend}' and clock '{clock}'; choose gloo or nccl, processor or wall")
        if backend == "nccl" and clock == "processor":
            raise ConfigError("clock is 'processor', which nccl does not spend; give clock=wall")
        at_least("device.communication.", warmup=(warmup, 0), repeats=(repeats, 1))
        self.backend, self.clock, self.warmup, self.repeats = backend, clock, warmup, repeats
        self.cache = None if cache is None else ArtifactCache(cache)

    @property
    def device(self) -> str:
        """Where the embeddings lie."""
        return "cuda" if self.backend == "nccl" else "cpu"

    def check(self, devices: int) -> None:
        """Refuse more devices than there are GPUs.

        Raises
        ------
        ConfigError
            Gives both numbers.
        """
        if self.backend == "nccl" and devices > torch.cuda.device_count():
            raise ConfigError(f"{devices} devices need a GPU each for nccl, and here are {torch.cuda.device_count()}")

    def identity(self) -> dict[str, Any]:
        """What a measurement depends on besides batch, sums of dimensions and moments of beginning."""
        return {
            "machine": this_machine(device=self.device),
            "backend": self.backend,
            "clock": self.clock,
            "warmup": self.warmup,
            "repeats": self.repeats,
        }

    def backward_communication(
        self, tables: EmbeddingTables, dim_sums: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans devices"]:
        """ms of sending the gradients back, by device."""
        return self._costs(tables.batch, dim_sums, np.zeros_like(dim_sums))[:, 1]

    def forward_communication(
        self,
        tables: EmbeddingTables,
        dim_sums: Float[np.ndarray, "plans devices"],
        start: Float[np.ndarray, "plans devices"],
    ) -> Float[np.ndarray, "plans devices"]:
        """ms of sending the embeddings, by device, from the moment on at which it begins."""
        if self.clock == "wall":
            return self._costs(tables.batch, dim_sums, start)[:, 0]
        waiting = start.max(axis=1, keepdims=True) - start
        return self._costs(tables.batch, dim_sums, np.zeros_like(start))[:, 0] + waiting

    def _costs(
        self, batch: int, dim_sums: Float[np.ndarray, "plans devices"], start: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans two devices"]:
        """Forward and backward, looked up or measured, all that is missing at once."""
        stored = self._collection(batch)
        keys = [_key(*plan) for plan in zip(dim_sums, start, strict=True)]
        raw = {key: npz_arrays(payload)["raw"] for key in keys if stored and (payload := stored.get(key))}
        if missing := {key: plan for plan, key in enumerate(keys) if key not in raw}:
            chosen = list(missing.values())
            for key, times in zip(missing, self.measure(batch, dim_sums[chosen], start[chosen]), strict=True):
                raw[key] = times
                if stored is not None:
                    with stored.claim(key) as mine:
                        if mine:
                            stored.put(key, npz_bytes({"raw": times}))
        return np.stack([self.estimate(raw[key]) for key in keys])

    def estimate(self, raw: Float[np.ndarray, "*exchanges repeats"]) -> Float[np.ndarray, "*exchanges"]:
        """ms of an exchange: of processor time the mean of the three smallest, of the wall clock's the median."""
        return np.sort(raw, axis=-1)[..., :3].mean(axis=-1) if self.clock == "processor" else np.median(raw, axis=-1)

    def measure(
        self, batch: int, dim_sums: Float[np.ndarray, "plans devices"], start: Float[np.ndarray, "plans devices"]
    ) -> Float[np.ndarray, "plans two devices repeats"]:
        """Raw ms, forward and backward; the plans take turns."""
        exchanges = [Exchange.of(batch, dims) for dims in dim_sums.astype(int)]
        devices = dim_sums.shape[1]
        import_of_exchanges()
        by_rank = on_processes(partial(self._of_rank, batch, exchanges, start), devices, self.backend)
        return np.stack(by_rank, axis=2)

    @gradients()
    def _of_rank(
        self, batch: int, exchanges: Sequence[Exchange], start: Float[np.ndarray, "plans devices"], rank: int
    ) -> Float[np.ndarray, "plans two repeats"]:
        found = np.empty((len(exchanges), 2, self.repeats))
        for turn in range(-self.warmup, self.repeats):
            for plan, exchange in enumerate(exchanges):
                local = torch.ones(batch, exchange.dims[rank], device=self.device, requires_grad=True)
                received: list[Tensor] = []
                forward = self._timed(lambda: received.append(exchange(local, rank)), start[plan, rank])  # noqa: B023
                gradient = torch.ones_like(received[0])
                backward = self._timed(lambda: received[0].backward(gradient), 0.0)  # noqa: B023
                if turn >= 0:
                    found[plan, :, turn] = forward, backward
        return found

    def _timed(self, action: Callable[[], Any], late: float) -> float:
        torch.distributed.barrier()
        time.sleep(late / 1e3)
        begin = now(self.clock, self.device)
        action()
        return (now(self.clock, self.device) - begin) * 1e3

    def _collection(self, batch: int) -> Collection | None:
        return None if self.cache is None else self.cache.collection("all_to_all", {**self.identity(), "batch": batch})


def _key(dims: Float[np.ndarray, " devices"], start: Float[np.ndarray, " devices"]) -> str:
    content = [int(dim) for dim in dims], [round(float(each), 3) for each in start]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]
