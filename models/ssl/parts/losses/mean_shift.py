"""Mean shift (Koohpayegani et al., 2021): a query is pulled to its target's nearest neighbours."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from models.precision import full_precision
from models.ssl.parts.state.reduce import mean_over_processes
from runs.errors import ConfigError


@full_precision
def mean_shift(p: Float[Tensor, "batch width"], neighbours: Float[Tensor, "batch k width"]) -> Float[Tensor, ""]:
    """Mean over rows and neighbours u of ``2 - 2 cos(p, u)``. Collective.

    Parameters
    ----------
    p
        Predictions of the online network.
    neighbours
        The k memories nearest to each row's target (``FeatureQueue.nearest``), the target itself among them.

    Raises
    ------
    ConfigError
        The shapes do not belong together.
    """
    if neighbours.ndim != 3 or neighbours.shape[0] != p.shape[0] or neighbours.shape[2] != p.shape[1]:
        raise ConfigError(
            f"neighbours of mean_shift have shape {tuple(neighbours.shape)} and p {tuple(p.shape)}; give (batch, k, width)"
        )
    centres = functional.normalize(neighbours, dim=2).mean(1)
    return mean_over_processes(2 - 2 * (functional.normalize(p) * centres).sum(1).mean())
