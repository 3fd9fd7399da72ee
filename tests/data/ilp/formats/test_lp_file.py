"""LP files: the same problems as HiGHS reads, what other readers disagree about, clear refusals."""

import gzip
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from data.ilp.formats import text
from data.ilp.formats.lp_file import read_lp
from data.ilp.problem import ILP
from runs.errors import InvalidProblem

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


@pytest.fixture(params=["whole", "line by line"])
def blocks(request, monkeypatch):
    if request.param == "line by line":
        monkeypatch.setattr(text, "_BLOCK", 8)


@pytest.mark.parametrize("name", ["problem.lp", "problem.lp.gz"])
def test_an_lp_file_becomes_the_same_ilp_plain_or_packed(write, name, blocks):
    content = GOOD.encode()
    problem = read_lp(write(gzip.compress(content) if name.endswith("gz") else content, name))
    assert problem.name == "problem" and problem.maximize and problem.offset == 7.0
    assert problem.var_names == ("x", "y", "z") and problem.row_names == ("cap", "least", "pair")
    assert problem.c.tolist() == [3, 2, 0.5]
    assert problem.A.toarray().tolist() == [[2, 1, 0], [0, 0, 1], [1, -1, 0]]
    assert problem.row_lo.tolist() == [-np.inf, 0.25, 0] and problem.row_hi.tolist() == [3, np.inf, 0]
    assert problem.ub.tolist() == [1, np.inf, 4] and problem.integer.tolist() == [True, True, False]


DRESSES = {  # other ways to write GOOD
    "byte order mark": ("\\ a comment", "\ufeff\\ a comment"),
    "crlf": ("\n", "\r\n"),
    "capitals": ("subject to", "SUBJECT   TO"),
    "short headers": ("subject to", "st"),
    "dotted header": ("subject to", "s.t."),
    "header with content": ("maximize\n value", "max value"),
    "one term a line": ("3 x + 2 y", "3\n x\n + 2\n\n y"),
    "comment behind": ("3 x + 2 y", "3 x \\ + 9 z\n + 2 y"),
    "glued": ("3 x + 2 y", "3x+2y"),
    "product": ("3 x", "3 * x"),
    "several signs": ("+ 2 y", "- -2 y"),
    "constant apart": ("+ 7", "+ 3 + 4"),
    "equal or less": ("<= 3", "=< 3"),
    "less": ("<= 3", "< 3"),
    "sign of a side": (">= 0.25", ">= + 0.25"),
    "bound turned": ("z <= 4", "4 >= z"),
    "bound of both sides": ("z <= 4", "0 <= z <= 4"),
    "bound repeated": ("z <= 4", "z <= 9\n z <= 4"),
    "binary with its bounds": ("z <= 4", "z <= 4\n 0 <= x <= 1"),
    "general and binary": ("general\n y", "general\n y x"),
    "empty semi": ("general\n y", "general\n y\nsemi"),
    "empty sos": ("general\n y", "general\n y\nsos"),
    "sections in another order": ("bounds\n z <= 4\nbinary\n x\n", "bin\n x\nbounds\n z <= 4\n"),
    "a comment after the end": ("end\n", "end\n\\ written by hand\n"),
}


@pytest.mark.parametrize("dress", list(DRESSES))
def test_a_good_file_reads_the_same_in_any_dress(write, dress):
    old, new = DRESSES[dress]
    assert old in GOOD
    assert read_lp(write(GOOD.replace(old, new))).fingerprint == read_lp(write(GOOD)).fingerprint


def test_names_of_other_writers_are_names(write):
    names = ["x[1]", "x[1,2]", "x[a-b]", "c(1,2)", "y/2", "z'_#{a}", "größe", "x#1", "a.b"]
    lines = "".join(f" {name} >= 1\n" for name in names)
    problem = read_lp(
        write("min\n obj: " + " + ".join(names) + f"\nst\n r[1]: x[1] - x[a-b] <= 2\nbounds\n{lines}end\n")
    )
    assert problem.var_names == tuple(names) and problem.row_names == ("r[1]",)
    assert problem.A.toarray()[0].tolist() == [1, 0, -1, 0, 0, 0, 0, 0, 0] and (problem.lb == 1).all()


def test_ranges_free_and_infinite_bounds_are_read(write):
    problem = read_lp(
        write(
            "min\nst\n r: -1 <= x + y <= 4\n x - y >= -2\n e: <= 3\nbounds\n x free\n -inf <= y <= +Infinity\n"
            " 3 >= z >= -1e30\n w = 2\n u <= 1e20\nend\n"
        )
    )
    assert problem.row_lo.tolist() == [-1, -2, -np.inf] and problem.row_hi.tolist() == [4, np.inf, 3]
    assert problem.row_names == ("r", "row2", "e") and problem.var_names == ("x", "y", "z", "w", "u")
    assert problem.lb.tolist() == [-np.inf, -np.inf, -np.inf, 2, 0]
    assert problem.ub.tolist() == [np.inf, np.inf, 3, 2, np.inf]


def test_a_generated_row_name_is_no_other_rows(write):
    problem = read_lp(write("min\n x\nst\n x >= 1\n row1: x >= 2\nend\n"))
    assert problem.row_names == ("row1_", "row1")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("2 x + y <=", "2 x + nan y <=", r"line 5, row 'cap': 'nan'.*a number or a variable"),
        ("<= 3", "<= nan", "line 5, row 'cap': 'nan'.*a number"),
        ("3 x", "1e999 x", "line 3, objective: '1e999'.*finite"),
        ("3 x", "1e20 x", r"'x' \(column 0\) has objective coefficient 1e\+20.*below 1e\+20"),
        ("2 x + y <=", "1e16 x + y <=", r"row 'cap' \(row 0\), variable 'x' \(column 0\) is 1e\+16.*below 1e\+15"),
        ("2 x + y <=", "2 x + x + y <=", "line 5, row 'cap': 'x'.*more than once"),
        ("2 x + y <=", "2 x + y + 5 <=", "line 5, row 'cap': .*constant"),
        ("2 x + y <=", "2 x y <=", "line 5, row 'cap': 'y'.*a sign between two terms"),
        ("2 x + y <=", "2 3 x <=", "line 5.*'3'.*sign between"),
        ("2 x + y <=", "2 * + y <=", "line 5.*a number or a variable"),
        ("<= 3", "<= y", "line 5, row 'cap': 'y'.*to the left"),
        ("<= 3", "<= 3 + 4", "line 5, right-hand side: .*one number"),
        ("cap: 2 x + y <= 3", "cap: 2 <= 2 x + y >= 3", "line 5.*lower and an upper"),
        ("cap: 2 x + y <= 3", "cap: 3 >= 2 x + y", "line 6, row 'cap': 'least'.*a sign between"),
        ("cap: 2 x + y <= 3", "cap: 1 <= 2\n x + y <= 3", "line 5, row 'cap': '2'.*first term of a range on one line"),
        ("z <= 4", "z <= -4", "'z'.*lower limit 0.*upper limit -4"),
        ("z <= 4", "z <= z", "line 9, bound: 'z'.*a number"),
        ("z <= 4", "z + 4", r"line 9, bound: '\+'"),
        ("z <= 4", "x <= 5", r"line 9, bounds of 'x': '\[0, 5\]'.*Binaries \(line 11\): SCIP.*HiGHS.*Generals"),
        ("z <= 4", "x free", r"line 9, bounds of 'x': '\[-inf, inf\]'.*Binaries"),
        ("general\n y", "general\n 4", "line 13, Generals: '4'.*names"),
        ("pair:", "cap:", "line 7, row: 'cap'.*line 5 has it"),
        ("least: z >= 0.25", "least: 0 z >= 0.25", "'least'.*no entries"),
        ("end\n", "", "without 'End'"),
        ("end\n", "end\n x\n", "line 15, word: 'x'.*nothing after End"),
        ("maximize", "hello", "line 2, first word: 'hello'.*Minimize or Maximize"),
        ("maximize", "max:", "line 2, word: 'max'.*header"),
        ("bounds\n", "bounds\n z <= 3\nsubject to\n", "line 10, section: 'rows'.*once"),
        ("3 x + 2 y", "3 x + 2 bin", "line 3, word: 'bin'.*header"),
        ("3 x + 2 y", "3 x + 2 ]", r"line 3.*'\].*letter"),
        ("general\n", "semi-continuous\n", "line 12.*semi-continuous.*unsupported"),
        ("general\n y", "sos\n s1: S1:: x:1 y:2", "sos.*unsupported"),
        ("general\n y", "general constraints\n y = MAX ( x )", "line 12.*general constraints.*unsupported"),
        ("3 x + 2 y", "3 x + [ y ^ 2 ] / 2", r"line 3.*\[ y.*unsupported"),
        ("cap: 2 x", "cap: z = 1 -> 2 x", "line 5.*unsupported"),
    ],
)
def test_bad_lp_files_are_refused_by_what_is_wrong(write, old, new, message, blocks):
    assert old in GOOD
    with pytest.raises(InvalidProblem, match=rf"problem\.lp.*{message}"):
        read_lp(write(GOOD.replace(old, new)))


def test_every_truncation_of_an_lp_file_is_refused(write):
    for cut in range(len(GOOD.rstrip())):
        with pytest.raises(InvalidProblem, match=r"problem\.lp"):
            read_lp(write(GOOD[:cut]))


def test_garbage_is_refused(write):
    with pytest.raises(InvalidProblem, match="UTF-8"):
        read_lp(write(b"\xff\xfe\x00max"))
    with pytest.raises(InvalidProblem, match="gz"):
        read_lp(write(GOOD, "problem.lp.gz"))
    with pytest.raises(InvalidProblem, match="more than 100 bytes"):
        read_lp(write(GOOD), limit=100)
    with pytest.raises(InvalidProblem, match="declares no variable"):
        read_lp(write("min\nst\nend\n"))


@pytest.mark.parametrize("new", ["z <= 4\n w <= 3\n u >= 1", "z <= 4\ninteger\n w u"])
def test_a_variable_that_only_a_bound_or_a_type_names_is_kept_with_a_warning(write, new, caplog):
    with caplog.at_level(logging.WARNING):
        problem = read_lp(write(GOOD.replace("z <= 4", new)))
    assert problem.var_names == ("x", "y", "z", "w", "u") and problem.c[3] == 0
    (record,) = caplog.records
    assert "'w' and 1 others" in record.getMessage() and "line 1" in record.getMessage()


def test_an_unused_variable_written_with_a_zero_is_declared(write, caplog):
    with caplog.at_level(logging.WARNING):
        assert read_lp(write(GOOD.replace("2 y", "2 y + 0 w"))).var_names == ("x", "y", "w", "z")
    assert not caplog.records


def test_fractional_bounds_of_integers_are_rounded_inwards_with_one_warning(write, caplog):
    with caplog.at_level(logging.WARNING):
        problem = read_lp(write(GOOD.replace("z <= 4", "z <= 4.5\n 0.5 <= y <= 2.5")))
    assert (problem.lb.tolist(), problem.ub.tolist()) == ([0, 1, 0], [1, 2, 4.5])
    (record,) = caplog.records
    assert "[0.5, 2.5] of variable 'y'" in record.getMessage() and "[1, 2]" in record.getMessage()


def highs_problem(path: Path) -> ILP:
    """What HiGHS reads, its columns in the order of their names."""
    highspy = pytest.importorskip("highspy")
    import scipy.sparse as sp

    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) != highspy.HighsStatus.kError
    lp = highs.getLp()
    matrix = lp.a_matrix_
    kinds = lp.integrality_ or [highspy.HighsVarType.kContinuous] * lp.num_col_
    return ILP.build(
        lp.col_cost_,
        sp.csc_matrix((matrix.value_, matrix.index_, matrix.start_), shape=(lp.num_row_, lp.num_col_)),
        lp.row_lower_,
        lp.row_upper_,
        lp.col_lower_,
        lp.col_upper_,
        [kind != highspy.HighsVarType.kContinuous for kind in kinds],
        maximize=lp.sense_ == highspy.ObjSense.kMaximize,
        offset=lp.offset_,
        var_names=list(lp.col_names_),
        row_names=list(lp.row_names_),
    )


@pytest.mark.parametrize("dress", ["as it is", *sorted(set(DRESSES) - {"byte order mark", "empty sos"})])
def test_highs_reads_the_same(write, dress):
    old, new = DRESSES.get(dress, ("", ""))
    path = write(GOOD.replace(old, new) if old else GOOD)
    ours, theirs = read_lp(path), highs_problem(path)
    assert (ours.fingerprint, ours.var_names) == (theirs.fingerprint, theirs.var_names)


FOLDER = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ilp"


@pytest.mark.skipif(not (FOLDER / "MANN_a9.clq.lp").exists(), reason="no LP files under REPRISE_DATA")
def test_real_lp_files_have_the_documented_sizes_and_are_what_highs_reads():
    clique, stein = read_lp(FOLDER / "MANN_a9.clq.lp"), read_lp(FOLDER / "stein27_inf.lp")
    assert (clique.name, clique.m, clique.n, clique.A.nnz) == ("MANN_a9.clq", 72, 45, 144)
    assert clique.maximize and clique.binary.all()
    assert (stein.name, stein.m, stein.n, stein.A.nnz, stein.binary.sum()) == ("stein27_inf", 119, 27, 405, 27)
    assert clique.fingerprint == highs_problem(FOLDER / "MANN_a9.clq.lp").fingerprint
    assert stein.fingerprint == highs_problem(FOLDER / "stein27_inf.lp").fingerprint
