"""Released checkpoints: files in the authors' format, written here, since the real one may not be shipped."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import leaky_relu

from models.ilp.policy import NeighborhoodPolicy
from models.ilp.released import load_released
from runs.errors import ConfigError

WIDTH, HEADS = 64, 8


class Flow(enum.Enum):
    """Something that is no tensor, as the convolutions of the authors' graph library carry."""

    SOURCE_TO_TARGET = 1


class ReleasedPrenorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("avg", torch.randn(width).double())
        self.register_buffer("var", torch.rand(width).double() + 0.5)
        self.register_buffer("count", torch.ones(1))
        self.register_buffer("frozen", torch.tensor([True]))
        self.register_buffer("shift", -self.avg.float())
        self.register_buffer("scale", self.var.rsqrt().float())

    def forward(self, x: Any) -> Any:
        return (x + self.shift) * self.scale


class ReleasedConvolution(nn.Module):
    """The release's attention: the concatenation [target, source, edge] is cut into eight pieces of 24."""

    def __init__(self) -> None:
        super().__init__()
        self.flow, self.signature = Flow.SOURCE_TO_TARGET, {"message": [Flow.SOURCE_TO_TARGET]}
        self.lin_l, self.lin_r = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.att = nn.Parameter(torch.randn(1, HEADS, 3 * WIDTH // HEADS))
        self.output_module = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, left: Any, edges: Any, e: Any, right: Any) -> Any:
        source, target = edges
        message = self.lin_l(left)[source]
        x = leaky_relu(torch.cat([self.lin_r(right)[target], message, e], 1), 0.2)
        logits = (x.view(-1, HEADS, 24) * self.att).sum(-1)
        out = torch.zeros(len(right), HEADS, WIDTH // HEADS)
        for i in target.unique():
            at = target == i
            out[i] = (logits[at].softmax(0)[:, :, None] * message[at].view(-1, HEADS, WIDTH // HEADS)).sum(0)
        return self.output_module(torch.cat([out.flatten(1), right], 1))


class ReleasedPolicy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cons_norm, self.edge_norm, self.var_norm = (ReleasedPrenorm(width) for width in (10, 2, 104))
        self.cons_embedding = self._embedding(self.cons_norm, 10)
        self.edge_embedding = nn.Sequential(self.edge_norm, nn.Linear(2, WIDTH))
        self.var_embedding = self._embedding(self.var_norm, 104)
        self.conv_v_to_c, self.conv_c_to_v = ReleasedConvolution(), ReleasedConvolution()
        self.output_module = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1, bias=False))
        self.var_norm.avg[2], self.var_norm.var[2], self.var_norm.shift[2], self.var_norm.scale[2] = 0, 1, 0, 1

    @staticmethod
    def _embedding(norm: nn.Module, features: int) -> nn.Sequential:
        return nn.Sequential(norm, nn.Linear(features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())

    def forward(self, c: Any, edges: Any, e: Any, v: Any) -> Any:
        c, e, v = self.cons_embedding(c), self.edge_embedding(e), self.var_embedding(v)
        c = self.conv_v_to_c(v, edges.flip(0), e, c)
        return self.output_module(self.conv_c_to_v(c, edges, e, v)).squeeze(1)


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasedPolicy]:
    """A policy whose classes a file names as the release does; the package is gone when the test reads."""
    module = ModuleType("neural_nets")
    for kind in (ReleasedPolicy, ReleasedConvolution, ReleasedPrenorm, Flow):
        monkeypatch.setattr(kind, "__module__", "neural_nets")
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "neural_nets", module)
    torch.manual_seed(0)
    yield ReleasedPolicy()


def random_inputs() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    edge_index = (torch.rand(9, 12) < 0.4).nonzero().T
    return torch.randn(9, 10), edge_index, torch.randn(edge_index.shape[1], 2), torch.randn(12, 104)


@pytest.mark.parametrize("whole", [True, False])
def test_a_released_policy_scores_the_same_here(
    released: ReleasedPolicy, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c, edge_index, e, v = random_inputs()
    v[:, 97::3] = 0  # the feature set hides them
    with torch.no_grad():
        expected = released(c, edge_index, e, v)
    torch.save(released if whole else released.state_dict(), tmp_path / "released.pt")
    monkeypatch.delitem(sys.modules, "neural_nets")

    policy = load_released(tmp_path / "released.pt")

    assert isinstance(policy, NeighborhoodPolicy) and not policy.training
    torch.testing.assert_close(policy(v, c, edge_index, e).detach(), expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("function", [exec, os.mkdir, getattr])
def test_nothing_of_a_file_is_run(function: Any, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    arguments = {exec: (f"import os; os.mkdir({str(sprung)!r})",), os.mkdir: (str(sprung),), getattr: (Path, "touch")}

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return function, arguments[function]

    torch.save({"policy": Trap()}, tmp_path / "trap.pt")

    with pytest.raises(ConfigError, match=r"trap\.pt: "):
        load_released(tmp_path / "trap.pt")
    assert not sprung.exists()


def test_a_file_of_another_network_is_refused(released: ReleasedPolicy, tmp_path: Path) -> None:
    state = released.state_dict()
    torch.save({key: value for key, value in state.items() if not key.endswith(".att")}, tmp_path / "other.pt")
    torch.save(state | {"cons_embedding.1.weight": torch.zeros(32, 10)}, tmp_path / "narrow.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")

    with pytest.raises(ConfigError, match=r"no tensor 'conv_v_to_c\.att'"):
        load_released(tmp_path / "other.pt")
    with pytest.raises(
        ConfigError, match=r"'cons_embedding\.1\.weight' has shape \(32, 10\), the policy needs \(64, 10\)"
    ):
        load_released(tmp_path / "narrow.pt")
    with pytest.raises(ConfigError, match="no checkpoint that can be read safely"):
        load_released(tmp_path / "text.pt")
    with pytest.raises(ConfigError, match="there is no such file"):
        load_released(tmp_path / "absent.pt")
