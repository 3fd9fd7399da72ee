"""Balanced assignments by the Sinkhorn-Knopp iteration (docs/papers/ssl.md#2.6; arXiv 2006.09882, section 3.1)."""

from __future__ import annotations

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor

from models.precision import full_precision
from models.ssl.parts.state.gather import processes, rank_offset
from models.ssl.parts.state.reduce import sum_over_processes
from runs.errors import ConfigError


@torch.no_grad()
@full_precision
def sinkhorn(
    logits: Float[Tensor, "rows prototypes"],
    epsilon: float = 0.05,
    iterations: int = 3,
    shared: Float[Tensor, "more prototypes"] | None = None,
) -> Float[Tensor, "rows prototypes"]:
    """Probabilities of this process's rows that use the prototypes equally over the rows of all processes.

    ``exp(logits/epsilon)``, then alternately every column scaled to the sum rows/prototypes and every row to the sum 1, rows
    last. No gradient. Two vectors of factors stand for the scaled matrix (``diag(u) A diag(v)``), so an iteration is two
    matrix-vector products. Collective; processes may have different numbers of rows.

    Parameters
    ----------
    logits
        Similarities to the prototypes; log-probabilities with ``epsilon`` 1.
    epsilon
        Entropic regularisation. In single precision a column 87 epsilon below every row's best stays empty.
    iterations
        Rounds of column and row scaling; 0 is the softmax.
    shared
        Rows that all processes hold alike, such as a queue's: they count once in the balance and are not returned.

    Raises
    ------
    ConfigError
        ``epsilon`` is not positive or ``iterations`` negative.
    """
    if not epsilon > 0 or iterations < 0:
        raise ConfigError(f"sinkhorn with epsilon {epsilon} and {iterations} iterations; epsilon > 0, iterations >= 0")
    rows, prototypes = logits.shape
    if shared is not None:
        logits = torch.cat([logits, _own_part(shared)])
    scaled = logits / epsilon
    kernel = scaled.softmax(1)
    if not iterations:
        return kernel[:rows]
    log_sums = scaled.amax(1) - kernel.amax(1).log()
    u = (log_sums - _largest(log_sums)).exp_()
    share = sum_over_processes(u.new_full((), len(u))) / prototypes
    for _ in range(iterations):
        v = share / sum_over_processes(u @ kernel).clamp(min=torch.finfo(kernel.dtype).tiny)
        u = 1 / (kernel @ v)
    return kernel[:rows].mul_(v).mul_(u[:rows, None])


def _own_part(shared: Tensor) -> Tensor:
    """This process's share of rows that all hold, so that each counts once."""
    part = -(-len(shared) // processes())
    return shared[rank_offset(part) :][:part]


def _largest(x: Tensor) -> Tensor:
    """The largest entry on any process."""
    largest = x.max() if x.numel() else x.new_full((), -torch.inf)
    if processes() > 1:
        torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    return largest
