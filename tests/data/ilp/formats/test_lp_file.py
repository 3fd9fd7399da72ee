"""LP files through HiGHS: right problems, clear refusals, hard limits."""

import gzip
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from data.ilp.formats import lp_file
from data.ilp.formats.lp_file import read_lp
from runs.errors import InvalidProblem, MissingDependency

pytest.importorskip("highspy")

GOOD = """\\ a comment
maximize
 value: 3 x + 2 y + 0.5 z + 7
subject to
 cap: 2 x + y <= 3
 least: z >= 0.25
 pair: x - y = 0
bounds
 z <= 4
binary
 x
general
 y
end
"""


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "problem.lp") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("name", ["problem.lp", "problem.lp.gz"])
def test_an_lp_file_becomes_the_same_ilp_plain_or_packed(write, name):
    content = GOOD.encode()
    problem = read_lp(write(gzip.compress(content) if name.endswith("gz") else content, name))
    assert problem.name == "problem" and problem.maximize and problem.offset == 7.0
    assert problem.var_names == ("x", "y", "z") and problem.row_names == ("cap", "least", "pair")
    assert problem.c.tolist() == [3, 2, 0.5]
    assert problem.A.toarray().tolist() == [[2, 1, 0], [0, 0, 1], [1, -1, 0]]
    assert problem.row_lo.tolist() == [-np.inf, 0.25, 0] and problem.row_hi.tolist() == [3, np.inf, 0]
    assert problem.ub.tolist() == [1, np.inf, 4] and problem.integer.tolist() == [True, True, False]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("2 x + y <=", "2 x + nan y <=", "no nan"),
        ("<= 3", "<= nan", "no nan"),
        ("3 x", "1e999 x", "'x'.*finite"),
        ("2 x + y <=", "2 x + x + y <=", "more than once"),
        ("2 x + y <=", "2 x + y + 5 <=", "constant"),
        ("z <= 4", "z <= 4\n w <= 3", "'w' has a bound or a type"),
        ("general\n y", "general\n y w", "'w' has a bound or a type"),
        ("z <= 4", "z <= -4", "'z'.*lower limit 0.*upper limit -4"),
        ("pair:", "cap:", "twice"),
        ("least: z >= 0.25", "least: 0 z >= 0.25", "'least'.*no entries"),
        ("end\n", "", "without 'End'"),
        ("maximize", "hello", "plain LP file"),
        ("general\n", "semi-continuous\n", "line 12.*semi-continuous.*unsupported"),
        ("general\n y", "sos\n s1: S1:: x:1 y:2", "sos.*unsupported"),
        ("3 x + 2 y", "3 x + [ y ^ 2 ] / 2", r"line 3.*\[ y.*unsupported"),
        ("cap: 2 x", "cap: z = 1 -> 2 x", "line 5.*unsupported"),
    ],
)
def test_bad_lp_files_are_refused_by_what_is_wrong(write, old, new, message):
    assert old in GOOD
    with pytest.raises(InvalidProblem, match=rf"problem\.lp.*{message}"):
        read_lp(write(GOOD.replace(old, new)))


def test_every_truncation_of_an_lp_file_is_refused_without_a_child(write, monkeypatch):
    monkeypatch.setattr(lp_file, "_parse", lambda *_: pytest.fail("HiGHS was asked"))
    for cut in range(len(GOOD.rstrip())):
        with pytest.raises(InvalidProblem):
            read_lp(write(GOOD[:cut]))


def test_garbage_is_refused(write):
    with pytest.raises(InvalidProblem, match="UTF-8"):
        read_lp(write(b"\xff\xfe\x00max"))
    with pytest.raises(InvalidProblem, match="gz"):
        read_lp(write(GOOD, "problem.lp.gz"))
    with pytest.raises(InvalidProblem, match="more than 100 bytes"):
        read_lp(write(GOOD), limit=100)


def test_an_unused_variable_written_with_a_zero_is_declared(write):
    assert read_lp(write(GOOD.replace("2 y", "2 y + 0 w"))).var_names == ("x", "y", "w", "z")


def test_memory_and_time_of_the_child_are_limited(write):
    with pytest.raises(InvalidProblem, match="within 50 MiB"):
        read_lp(write(GOOD), memory=50 << 20)
    with pytest.raises(InvalidProblem, match=r"more than 0\.01 s"):
        read_lp(write(GOOD), seconds=0.01)


def test_secrets_of_the_environment_do_not_reach_the_child(write, monkeypatch):
    seen = {}
    start = subprocess.Popen
    monkeypatch.setenv("SOME_API_KEY", "secret")
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: (seen.update(k["env"]), start(*a, **k))[1])
    read_lp(write(GOOD))
    assert seen and "SOME_API_KEY" not in seen


def test_without_highs_the_install_line_is_named(write, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highspy", None)
    monkeypatch.setattr(lp_file.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="pip install"):
        read_lp(write(GOOD))


FOLDER = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ilp"


@pytest.mark.skipif(not (FOLDER / "MANN_a9.clq.lp").exists(), reason="no LP files under REPRISE_DATA")
def test_real_lp_files_have_the_documented_sizes():
    clique, stein = read_lp(FOLDER / "MANN_a9.clq.lp"), read_lp(FOLDER / "stein27_inf.lp")
    assert (clique.name, clique.m, clique.n, clique.A.nnz) == ("MANN_a9.clq", 72, 45, 144)
    assert clique.maximize and clique.binary.all()
    assert (stein.name, stein.m, stein.n, stein.A.nnz, stein.binary.sum()) == ("stein27_inf", 119, 27, 405, 27)
