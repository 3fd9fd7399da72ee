"""Which file is read how, and which is not."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from data.ilp.formats.files import instances, read
from data.ilp.formats.suffixes import stem
from data.ilp.generators.sc import SetCover
from data.ilp.instances import IntegerPrograms
from runs.errors import InvalidProblem
from runs.launch.rows import names
from tests.composition import CONF, composed

KNAPSACK = Path(__file__).parent / "files" / "knapsack.mps"


@pytest.mark.parametrize(
    "name, expected",
    [("10teams.mps.gz", "10teams"), ("MANN_a9.clq.lp", "MANN_a9.clq"), ("a/b.MPS", "b"), ("other.txt", "other.txt")],
)
def test_stem_drops_only_the_instance_suffix(name, expected):
    assert stem(name) == expected


def test_suffixes_decide_the_reader(tmp_path):
    pytest.importorskip("highspy")
    (tmp_path / "a.mps.gz").write_bytes(gzip.compress(KNAPSACK.read_bytes()))
    (tmp_path / "b.lp").write_text("max\n x\nst\n c: x <= 1\nend\n")
    assert read(tmp_path / "a.mps.gz").fingerprint == read(KNAPSACK).fingerprint
    assert read(tmp_path / "b.lp").n == 1


def test_other_files_missing_files_and_folders_are_refused(tmp_path):
    shutil.copy(KNAPSACK, tmp_path / "a.txt")
    for name, message in [("a.txt", "unknown suffix"), ("b.mps", "missing"), (".", "no file")]:
        with pytest.raises(InvalidProblem, match=rf"{message}.*\.mps, \.mps\.gz"):
            read(tmp_path / name)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    shutil.copy(KNAPSACK, tmp_path / "a.mps")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidProblem, match="cannot be read: Permission denied"):
        read(tmp_path / "a.mps")


def test_a_folder_lists_instances_by_name_only(tmp_path):
    for name in ("b.mps", "a.lp", "c.mps.gz", "README.md"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.mps").mkdir()
    assert [path.name for path in instances(tmp_path)] == ["a.lp", "b.mps", "c.mps.gz"]
    with pytest.raises(InvalidProblem, match="cannot be listed"):
        instances(tmp_path / "nowhere")


@pytest.mark.parametrize("name", names(CONF, "data/ilp"))
def test_every_configuration_builds_a_set_of_its_own_name(name):
    from hydra.utils import instantiate

    files = ["data.path=x.mps"] if name == "files" else []
    data = instantiate(composed(f"data=ilp/{name}", *files).data, _convert_="all")
    assert isinstance(data, IntegerPrograms)
    assert data.name == name
    if name.endswith(("_small", "_demo")):
        data.setup("test")
        assert data.test_problems[0][1].validate().n > data.neighborhood_size


def test_a_path_replaces_the_generator_with_its_name_count_and_size(tmp_path):
    from hydra.utils import instantiate

    for name in ("a.mps", "b.mps", "c.mps"):
        (tmp_path / name).write_text("NAME one\nROWS\n N obj\nCOLUMNS\n x obj 1\nRHS\nENDATA\n")
    data = instantiate(composed("data=ilp/ca_demo", f"data.path='{tmp_path}'").data)
    data.setup("test")
    assert (data.name, len(data.test_problems), data.neighborhood_size) == ("files", 3, None)


FOLDER = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ilp"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no instances under REPRISE_DATA")
def test_every_real_instance_is_read_and_all_but_the_infeasible_one_have_an_optimum():
    pytest.importorskip("highspy")
    from omegaconf import OmegaConf

    optimum = dict(OmegaConf.load(CONF / "data" / "ilp" / "real.yaml").optimum)
    names = {read(path).name for path in instances(FOLDER)}
    assert names == set(optimum) | {"stein27_inf"}


def test_set_cover_survives_a_trip_through_a_file(tmp_path):
    import numpy as np

    from data.ilp.formats.mps_writer import write_mps

    problem = SetCover(columns=60, rows=50, density=0.1)(np.random.default_rng(0), "sc")
    write_mps(problem, tmp_path / "sc.mps.gz")
    assert read(tmp_path / "sc.mps.gz").fingerprint == problem.fingerprint
