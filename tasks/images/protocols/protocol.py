"""The contract of an evaluation protocol: features of three parts of the data in, numbers by name out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tasks.images.protocols.features import FeatureParts


class Protocol(ABC):
    """One way to judge a frozen representation; a subclass is a frozen dataclass of its settings.

    What is fitted is fitted on the training part, what is chosen is chosen on the validation part, and the test part is
    looked at once, with everything decided.
    """

    supervised: ClassVar[bool] = True
    """Whether it needs labels."""

    @abstractmethod
    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        """Numbers by metric name; accuracies in percent.

        Raises
        ------
        ConfigError
            A setting does not fit the data, labels are missing, or features are not finite.
        """
