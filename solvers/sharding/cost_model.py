"""What a search asks for the costs of plans: the problem's own oracle, or what was learned of it."""

from __future__ import annotations

from typing import Any

from data.sharding.problem import ShardingProblem
from runs.errors import ConfigError


def cost_model(problem: ShardingProblem, on_oracle: bool, scorer: Any, kind: Any, who: str, needs: str = "") -> Any:
    """The problem's oracle where ``on_oracle``, else ``scorer``.

    Parameters
    ----------
    kind
        The class that it must be of.
    who, needs
        Who asks, and what is needed of it, for the message.

    Raises
    ------
    ConfigError
        There is none, or it is of another kind.
    """
    model = problem.oracle if on_oracle else scorer
    if model is not None and isinstance(model, kind):
        return model
    raise ConfigError(
        f"{who} has no cost model{needs}; choose one with model=sharding/..., or ask the oracle itself with "
        "solver.on_oracle=true"
    )
