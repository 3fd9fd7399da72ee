"""The embedding tables of a torch module, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.sharding.own_module import module_tables
from runs.errors import ConfigError, InvalidProblem

SOURCE = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.users = nn.EmbeddingBag(1000, dim, mode="sum")
        self.sides = nn.ModuleDict({"item": nn.Embedding(50, 8), "again": self.users})
        self.items = nn.Embedding(70, 8)
        self.items.weight = self.sides["item"].weight
        self.dense = nn.Linear(16, 4)

def build():
    return Model()

def odd():
    return Model(dim=6)

def dense():
    return nn.Linear(4, 4)

def huge():
    return nn.EmbeddingBag(4_000_000_000, 128)

def collection():
    from torchrec import EmbeddingBagCollection, EmbeddingBagConfig
    sizes = {"t0": 10, "t1": 11, "t2": 12}
    tables = [EmbeddingBagConfig(name=n, embedding_dim=8, num_embeddings=k, feature_names=[n]) for n, k in sizes.items()]
    return nn.Sequential(EmbeddingBagCollection(tables=tables, device=torch.device("meta")), nn.EmbeddingBag(5, 4))

nothing = 3
text = lambda: "no module"
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_model_of_mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_shared_weights_are_one_table() -> None:
    found = module_tables("a_model_of_mine:build", pooling_factor=3.0, batch=128)
    assert dict(zip(found.tables.names, found.dims.tolist(), strict=True)) == {"users": 16, "sides.item": 8}
    assert found.tables.rows.tolist() == [1000, 50]
    assert found.tables.pooling_factor.tolist() == [3, 3]
    assert found.bytes_per_weight.tolist() == [4, 4]
    assert "pooling factor 3" in found.notes[0]


def test_no_memory_is_taken() -> None:
    assert module_tables("a_model_of_mine:huge").tables.rows.tolist() == [4_000_000_000]


def test_every_table_of_a_collection_of_torchrec_is_found_once() -> None:
    pytest.importorskip("torchrec", reason="TorchRec is not installed: make torchrec")
    found = module_tables("a_model_of_mine:collection")
    names = ("0.embedding_bags.t0", "0.embedding_bags.t1", "0.embedding_bags.t2", "1")
    assert found.tables.names == names
    assert found.tables.rows.tolist() == [10, 11, 12, 5]


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("a_model_of_mine", ConfigError, "give package.module:function"),
        ("no_such_module:build", ConfigError, "no_such_module cannot be imported"),
        ("a_model_of_mine:absent", ConfigError, "has no function 'absent'"),
        ("a_model_of_mine:nothing", ConfigError, "has no function 'nothing'"),
        ("a_model_of_mine:text", ConfigError, "returned a str"),
        ("a_model_of_mine:dense", InvalidProblem, "has no embedding table"),
        ("a_model_of_mine:odd", InvalidProblem, "users of a_model_of_mine:odd has dimension 6"),
    ],
)
def test_what_has_no_tables_is_refused(source: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as raised:
        module_tables(source)
    assert says in str(raised.value)
