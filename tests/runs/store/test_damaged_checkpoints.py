"""A damaged checkpoint or configuration is one line: never a traceback, never other weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from runs.errors import RepriseError
from runs.store.trained_run import TrainedRun
from tests.runs.store.test_trained_run import NETWORK, assert_weights, keep, network, run_folder

VALUES = [
    None,
    -1,
    1e400,
    "",
    "x" * 3000,
    "${oc.env:HOME}",
    "os.system",
    [],
    {},
    [[]],
    {"_target_": 3},
    True,
    b"\x00",
    "\x00",
]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, overwritten, doubled or flipped somewhere."""
    where, length = int(rng.integers(len(content))), int(rng.integers(1, 40))
    noise = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
    kind = rng.integers(4)
    if kind == 0:
        return content[:where]
    if kind == 1:
        return content[:where] + noise + content[where + length :]
    if kind == 2:
        return content[:where] + content[where : where + length] + content[where:]
    return content[:where] + bytes([content[where] ^ (1 << int(rng.integers(8)))]) + content[where + 1 :]


def replaced(node: object, rng: np.random.Generator) -> object:
    """One value anywhere in it replaced by another of any kind, or its key removed."""
    if isinstance(node, dict) and node and rng.random() < 0.9:
        key = list(node)[rng.integers(len(node))]
        if rng.random() < 0.1:
            return {name: value for name, value in node.items() if name != key}
        return node | {key: replaced(node[key], rng)}
    if isinstance(node, list) and node and rng.random() < 0.9:
        place = int(rng.integers(len(node)))
        return [*node[:place], replaced(node[place], rng), *node[place + 1 :]]
    return VALUES[rng.integers(len(VALUES))]


def assert_whole_or_refused(folder: Path, same_weights: bool) -> None:
    try:
        model = TrainedRun.at(folder).model()
    except RepriseError as error:
        assert "\n" not in str(error)
        return
    if same_weights:
        ours, theirs = model.state_dict(), network(3).state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def of_checkpoint(folder: Path, rng: np.random.Generator, kept: bool) -> None:
    path = folder / "checkpoints" / ("cost.pt" if kept else "last.ckpt")
    whole = path.read_bytes()
    path.write_bytes(mutated(whole, rng))
    assert_whole_or_refused(folder, same_weights=True)
    path.write_bytes(whole)


def of_text(folder: Path, rng: np.random.Generator) -> None:
    path = folder / "config.yaml"
    whole = path.read_bytes()
    path.write_bytes(mutated(whole, rng))
    assert_whole_or_refused(folder, same_weights=False)
    path.write_bytes(whole)


def of_settings(folder: Path, rng: np.random.Generator) -> None:
    path = folder / "config.yaml"
    whole = path.read_bytes()
    path.write_text(yaml.safe_dump(replaced(yaml.safe_load(whole), rng)))
    assert_whole_or_refused(folder, same_weights=False)
    path.write_bytes(whole)


CHANGES: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "checkpoint": lambda folder, rng: of_checkpoint(folder, rng, kept=False),
    "kept network": lambda folder, rng: of_checkpoint(folder, rng, kept=True),
    "configuration": of_text,
    "settings": of_settings,
}


@pytest.mark.parametrize("count", [100, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("change", CHANGES)
def test_a_damaged_run_is_opened_whole_or_refused_in_one_line(tmp_path: Path, change: str, count: int) -> None:
    folder = run_folder(tmp_path / "run", seed=3)
    if change == "kept network":
        keep(folder, 3, model=NETWORK)
    assert_weights(TrainedRun.at(folder), 3)
    for seed in range(count):
        CHANGES[change](folder, np.random.default_rng(seed))
