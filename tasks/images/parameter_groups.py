"""Which weights decay, and how the learning rate follows the batch."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from runs.errors import ConfigError, nearest

LRRule = Literal["linear", "sqrt", "none"]
RULES: tuple[LRRule, ...] = ("linear", "sqrt", "none")
REFERENCE_BATCH = 256


def decayed_and_not(module: nn.Module) -> list[dict[str, Any]]:
    """Parameter groups: matrices and kernels with the optimiser's weight decay, vectors and scalars without."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trainable if parameter.ndim > 1]},
        {"params": [parameter for parameter in trainable if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def lr_factor(batch: int, rule: LRRule) -> float:
    """What the learning rate per 256 images is multiplied with: B/256, its root, or 1.

    Raises
    ------
    ConfigError
        The rule is unknown.
    """
    if rule not in RULES:
        raise ConfigError(f"task.lr_rule is '{rule}'{nearest(rule, RULES)}")
    share = batch / REFERENCE_BATCH
    return {"linear": share, "sqrt": share**0.5, "none": 1.0}[rule]
