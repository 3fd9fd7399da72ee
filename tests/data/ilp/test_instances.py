"""Sets of instances: streams, files, and the loader the trainer sees."""

import pickle

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from data.ilp.generators.mis import MaximumIndependentSet
from data.ilp.instances import IntegerPrograms, UnreadableInstance
from data.ilp.problem import ILP
from runs.errors import ConfigError, InvalidProblem

GENERATOR = MaximumIndependentSet(nodes=30)

GOOD = """ROWS
 N  cost
 L  cap
COLUMNS
    x  cost  1  cap  1
RHS
    rhs  cap  2
ENDATA
"""


def ready(**settings) -> IntegerPrograms:
    data = IntegerPrograms(**settings)
    data.setup("test")
    return data


def test_generated_instances_carry_index_and_name():
    items = list(ready(generator=GENERATOR, count=3, name="mis_small").test_dataloader())
    assert [index for index, _ in items] == [0, 1, 2]
    assert [problem.name for _, problem in items] == ["mis_small-0000", "mis_small-0001", "mis_small-0002"]
    assert len({problem.fingerprint for _, problem in items}) == 3


def test_an_instance_depends_on_seed_and_index_only():
    whole = ready(generator=GENERATOR, count=4, seed=7).test_problems
    later = ready(generator=GENERATOR, count=2, first=2, seed=7).test_problems
    backwards = [whole[i][1].fingerprint for i in (3, 2)]
    assert [later[i][1].fingerprint for i in (1, 0)] == backwards
    assert later[0][0] == 2
    assert ready(generator=GENERATOR, count=3, seed=8).test_problems[2][1].fingerprint != backwards[1]
    assert whole[2][1].fingerprint == GENERATOR(np.random.default_rng([7, 2]), "").fingerprint


def test_a_folder_gives_its_instances_by_name_and_a_bad_one_as_an_error(tmp_path):
    (tmp_path / "b.mps").write_text(GOOD)
    (tmp_path / "a.mps").write_text(GOOD.replace("cap  1", "cap  nan"))
    (tmp_path / "c.MPS").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not an instance")
    items = list(ready(path=str(tmp_path)).test_dataloader())
    assert [index for index, _ in items] == [0, 1, 2]
    error, good = items[0][1], items[1][1]
    assert isinstance(error, UnreadableInstance) and error.instance_name == "a" and "a.mps" in str(error)
    assert pickle.loads(pickle.dumps(error)).instance_name == "a"
    assert isinstance(good, ILP) and good.name == "b"


def test_files_of_one_stem_keep_their_full_names(tmp_path):
    for name in ("a.mps", "b.mps"):
        (tmp_path / name).write_text(GOOD)
    import gzip

    (tmp_path / "a.mps.gz").write_bytes(gzip.compress(GOOD.encode()))
    names = [problem.name for _, problem in ready(path=str(tmp_path)).test_dataloader()]
    assert names == ["a.mps", "a.mps.gz", "b.mps"]


def test_a_path_replaces_the_generator_and_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.mps").write_text(GOOD)
    data = ready(path="~/own.mps", generator=GENERATOR, count=2)
    assert [problem.name for _, problem in data.test_dataloader()] == ["own"]


def test_a_relative_path_counts_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.mps").write_text(GOOD)
    assert len(ready(path="own.mps").test_problems) == 1


def test_a_single_bad_file_raises_at_setup(tmp_path):
    (tmp_path / "bad.mps").write_text("ROWS\n N cost\n")
    with pytest.raises(InvalidProblem, match=r"bad\.mps"):
        ready(path=str(tmp_path / "bad.mps"))


def test_missing_paths_and_empty_folders_are_named(tmp_path):
    with pytest.raises(InvalidProblem, match="missing"):
        ready(path=str(tmp_path / "nowhere.mps"))
    with pytest.raises(InvalidProblem, match="holds no instance"):
        ready(path=str(tmp_path))


def test_known_optima_are_found_by_instance_name():
    data = IntegerPrograms(generator=GENERATOR, count=1, optimum={"a.clq": 3})
    assert data.problem_optimum("a.clq") == 3.0 and data.problem_optimum("b") is None


@pytest.mark.parametrize(
    "settings, key",
    [
        ({}, "data.path"),
        ({"generator": GENERATOR}, "data.count"),
        ({"generator": GENERATOR, "count": 0}, "data.count"),
        ({"generator": GENERATOR, "count": 1.5}, "data.count"),
        ({"generator": GENERATOR, "count": 1, "first": -1}, "data.first"),
        ({"generator": GENERATOR, "count": 1, "seed": -1}, "data.seed"),
        ({"generator": GENERATOR, "count": 1, "neighborhood_size": -5}, "data.neighborhood_size"),
        ({"generator": GENERATOR, "count": 1, "optimum": {"a": float("nan")}}, "data.optimum"),
    ],
)
def test_impossible_settings_of_a_set_are_refused(settings, key):
    with pytest.raises(ConfigError, match=key):
        IntegerPrograms(**settings)


def test_first_beyond_the_files_is_refused(tmp_path):
    (tmp_path / "a.mps").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"data\.first"):
        ready(path=str(tmp_path), first=1)


class Seen(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.items = []

    def test_step(self, batch, batch_idx):
        self.items.append(batch)


def test_the_trainer_hands_over_each_problem_untouched():
    module, trainer = Seen(), pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, barebones=True)
    trainer.test(module, IntegerPrograms(generator=GENERATOR, count=3, first=1), verbose=False)
    assert [index for index, _ in module.items] == [1, 2, 3]
    assert all(isinstance(problem, ILP) for _, problem in module.items)


def test_ranks_share_the_instances_without_repetition(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        loader = ready(generator=GENERATOR, count=5).test_dataloader()
        seen.append([index for index, _ in loader])
    assert seen == [[0, 2, 4], [1, 3]]
