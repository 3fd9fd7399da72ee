"""What a query of a cost with a gradient gives, in any domain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Queried(NamedTuple):
    """One query of the cost for each row of a batch.

    Attributes
    ----------
    values
        (batch,) f(x), less is better.
    gradients
        (batch, variables) df/dx.
    """

    values: Float[np.ndarray, " batch"]
    gradients: Float[np.ndarray, "batch variables"]
