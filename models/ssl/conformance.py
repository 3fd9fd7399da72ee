"""Does a loss mean the same on several processes as on one? A check of value and gradient for any loss.

With features gathered without gradient the loss is right and its gradient is wrong (docs/papers/ssl.md#12). In a test::

    def test_my_loss_is_the_same_on_two_processes() -> None:
        check_loss(my_loss, [torch.randn(8, 16), torch.randn(8, 16)])
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from runs.errors import ConfigError, RepriseError
from runs.local_processes import on_processes

Loss = Callable[..., Tensor]
ROUNDING = 1e-14
"""Length of a difference of gradients that double precision explains where they should be 0."""


class NonConformingLoss(RepriseError):
    """Several processes and one disagree about a loss: says where, by how much, and the likely cause."""


def check_loss(loss: Loss, inputs: Sequence[Tensor], processes: int = 2, tolerance: float = 1e-10) -> None:
    """Compare value and gradient of ``loss(*inputs)`` on one process and on several that share the rows.

    Every process must return the loss of the whole batch; DDP takes the mean of the gradients over the processes, so this
    mean must be the gradient of one process. Evaluated in double precision on the CPU, from the same random state.

    Parameters
    ----------
    loss
        A function, or a module, whose parameters are then checked too.
    inputs
        Tensors whose rows are shared out in order; gradients are taken of those with floating point numbers.
    processes
        How many; the rows of each input must be a multiple of it.
    tolerance
        Largest relative difference.

    Raises
    ------
    NonConformingLoss
        Value or gradient differ.
    ConfigError
        Rows cannot be shared out evenly.
    """
    check_losses({getattr(loss, "__name__", type(loss).__name__): (loss, inputs)}, processes, tolerance)


def check_losses(
    cases: Mapping[str, tuple[Loss, Sequence[Tensor]]], processes: int = 2, tolerance: float = 1e-10
) -> None:
    """``check_loss`` for several losses by name, on the same processes; the message lists all that fail.

    Raises
    ------
    NonConformingLoss
        Some loss does not conform.
    ConfigError
        Rows cannot be shared out evenly.
    """
    for name, (_, inputs) in cases.items():
        for index, x in enumerate(inputs):
            if len(x) % processes:
                raise ConfigError(f"input {index} of {name} has {len(x)} rows; give a multiple of {processes}")

    def share(rank: int) -> dict[str, _Outcome]:
        return {name: _outcome(loss, [_part(x, rank, processes) for x in xs]) for name, (loss, xs) in cases.items()}

    shares = on_processes(share, processes)
    faults = [
        f"{name}: {fault}"
        for name, (loss, inputs) in cases.items()
        if (fault := _fault([part[name] for part in shares], _outcome(loss, inputs), tolerance))
    ]
    if faults:
        raise NonConformingLoss("\n".join(faults))


class _Outcome(NamedTuple):
    value: float
    inputs: list[Tensor | None]
    parameters: dict[str, Tensor]


def _part(x: Tensor, rank: int, processes: int) -> Tensor:
    return x.chunk(processes)[rank]


def _outcome(loss: Loss, inputs: Sequence[Tensor]) -> _Outcome:
    """Value, and gradients of the inputs and of the parameters where they exist."""
    module = copy.deepcopy(loss).double() if isinstance(loss, nn.Module) else None
    leaves = [x.detach().double().requires_grad_() if x.is_floating_point() else x for x in inputs]
    parameters = dict(module.named_parameters()) if module is not None else {}
    wanted = [x for x in leaves if x.requires_grad] + list(parameters.values())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        value = (module or loss)(*leaves)
    gradients = iter(torch.autograd.grad(value, wanted, allow_unused=True, materialize_grads=True))
    of_inputs = [next(gradients) if x.requires_grad else None for x in leaves]
    return _Outcome(float(value.detach()), of_inputs, dict(zip(parameters, gradients, strict=True)))


def _fault(shares: Sequence[_Outcome], whole: _Outcome, tolerance: float) -> str:
    """What is wrong, or nothing."""
    for rank, share in enumerate(shares):
        if not abs(share.value - whole.value) <= tolerance * max(1.0, abs(whole.value)):
            return (
                f"process {rank} of {len(shares)} returns {share.value:.6g}, one process {whole.value:.6g}. Every process "
                "must return the loss of the whole batch: mean_over_processes of means over rows, gather for rows that meet"
            )
    for index, expected in enumerate(whole.inputs):
        if expected is not None:
            parts = [share.inputs[index] for share in shares]
            found = torch.cat([part for part in parts if part is not None]) / len(shares)
            if fault := _difference(f"input {index}", found, expected, tolerance):
                return fault
    for name, expected in whole.parameters.items():
        found = torch.stack([share.parameters[name] for share in shares]).mean(0)
        if fault := _difference(f"parameter {name}", found, expected, tolerance):
            return fault
    return ""


def _difference(what: str, found: Tensor, expected: Tensor, tolerance: float) -> str:
    scale = float(expected.norm())
    error = float((found - expected).norm())
    if error <= tolerance * scale + ROUNDING:
        return ""
    percent = f"{100 * error / scale:.3g} %" if scale else f"{error:.3g}, where it should be 0,"
    return (
        f"the value is right, but the gradient of {what} is off by {percent}. Rows or sums of other processes came without "
        "gradient: use gather and sum_over_processes of models/ssl/state, whose backward passes sum over the processes"
    )
