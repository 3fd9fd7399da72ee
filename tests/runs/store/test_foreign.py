"""Foreign weights become a network of ours by one contract; what is missing or does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from runs.errors import ConfigError
from runs.store.foreign import Converter, Names, foreign_state


class TransposedLayer(Converter):
    """A layer that somebody stores as ``kernel``, inputs first, and ``offset``, negated, with a row in front."""

    expected, kind = "a transposed layer", "layer"

    def recognises(self, state: Mapping[str, Any]) -> bool:
        return "kernel" in state

    def network(self, state: Mapping[str, Any], source: str) -> nn.Linear:
        return nn.Linear(3, 2)

    def names(self, ours: Mapping[str, Tensor]) -> Names:
        yield "kernel", "weight", lambda kernel: kernel.T
        yield "offset", "bias", lambda offset: -offset


class Forgetful(TransposedLayer):
    def names(self, ours: Mapping[str, Tensor]) -> Names:
        yield "kernel", "weight", lambda kernel: kernel.T


STATE = {"kernel": torch.arange(6.0).view(3, 2), "offset": torch.ones(1, 2), "step": 3}


def test_names_shapes_and_values_are_mapped() -> None:
    layer = TransposedLayer().converted(STATE, "file")
    torch.testing.assert_close(layer(torch.eye(3)), STATE["kernel"] - 1)
    assert not layer.training and not any(parameter.requires_grad for parameter in layer.parameters())


def test_what_is_missing_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"file: there is no tensor 'offset'; expected a transposed layer, .* kernel"):
        TransposedLayer().converted({"kernel": STATE["kernel"]}, "file")
    with pytest.raises(ConfigError, match="there is no tensor 'kernel'"):
        TransposedLayer().converted({**STATE, "kernel": "text"}, "file")


def test_another_size_is_named_with_both() -> None:
    with pytest.raises(ConfigError, match=r"'offset' has shape \(3,\), the layer needs \(2,\)"):
        TransposedLayer().converted({**STATE, "offset": torch.ones(3)}, "file")


def test_a_converter_that_leaves_weights_untrained_is_a_defect() -> None:
    with pytest.raises(TypeError, match="Forgetful gives no weights for bias"):
        Forgetful().converted(STATE, "file")


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)
        self.register_buffer("scale", torch.ones(1))


def test_a_whole_pickled_module_reads_as_its_state(tmp_path: Path) -> None:
    module = Foreign()
    torch.save(module, tmp_path / "whole.pt")
    state = foreign_state(tmp_path / "whole.pt")
    assert state.keys() == {"inner.weight", "inner.bias", "scale"}
    assert torch.equal(state["inner.weight"], module.inner.weight)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(ConfigError, match="holds a list; expected a network or its state_dict"):
        foreign_state(tmp_path / "list.pt")
