"""The contract of an evaluation protocol: features of three parts of the data in, numbers by name out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from runs.errors import ConfigError
from tasks.images.protocols.features import FeatureParts


class Sizes(NamedTuple):
    """What is known of the data and the encoder before anything is trained.

    Parameters
    ----------
    train, validation, test
        Images of the three parts.
    per_class
        Training images of each class; empty without labels.
    width
        Of h; None where the encoder does not tell.
    """

    train: int
    validation: int
    test: int
    per_class: Sequence[int] = ()
    width: int | None = None


class Protocol(ABC):
    """One way to judge a frozen representation; a subclass is a frozen dataclass of its settings.

    What is fitted is fitted on the training part, what is chosen is chosen on the validation part, and the test part is
    looked at once, with everything decided.
    """

    supervised: ClassVar[bool] = True
    """Whether it needs labels."""

    def check(self, sizes: Sizes) -> None:  # noqa: B027  # most protocols fit any data
        """Refuse settings that do not fit the data, before anything is trained.

        Raises
        ------
        ConfigError
            Begins with the setting's name, as this protocol calls it.
        """

    @abstractmethod
    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """Numbers by metric name; accuracies in percent.

        Raises
        ------
        ConfigError
            A setting does not fit the data, labels are missing, or features are not finite.
        """


def checked_within(setting: str, protocol: Protocol, sizes: Sizes) -> None:
    """Check a protocol that is a setting of another one.

    Raises
    ------
    ConfigError
        Begins with the setting's name.
    """
    try:
        protocol.check(sizes)
    except ConfigError as error:
        raise ConfigError(f"{setting}.{error}") from error
