"""What every loss asks of its input; violations name loss, field and value."""

from __future__ import annotations

from torch import Tensor

from models.ssl.parts.state.gather import processes
from runs.errors import ConfigError


def check_positive(loss: str, **settings: float) -> None:
    """Refuse settings that are not above 0, such as a temperature.

    Raises
    ------
    ConfigError
        One is not.
    """
    for name, value in settings.items():
        if not value > 0:
            raise ConfigError(f"{name} of {loss} is {value}; it must be above 0")


def check_views(loss: str, *views: Tensor, rows: int = 2) -> None:
    """Refuse views of different shapes, and batches of fewer than ``rows`` images on all processes together.

    Raises
    ------
    ConfigError
        The views cannot be compared, or the loss is undefined on so few rows.
    """
    shapes = [tuple(view.shape) for view in views]
    if len(set(shapes)) > 1:
        raise ConfigError(f"the views of {loss} have shapes {', '.join(map(str, shapes))}; they must be equal")
    batch = len(views[0]) * processes()
    if batch < rows:
        raise ConfigError(f"a batch of {batch} is too small for {loss}; it needs at least {rows}")
