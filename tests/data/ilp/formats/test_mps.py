"""The MPS reader against HiGHS, against the files' own headers, against its writer, and on broken files."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ilp.formats import text
from data.ilp.formats.mps import read_mps
from data.ilp.formats.mps_writer import write_mps
from data.ilp.problem import ILP
from runs.errors import InvalidProblem

FILES = Path(__file__).parent / "files"
KNAPSACK = (FILES / "knapsack.mps").read_text()

BAD = {  # file: where the message must point, and what it must say
    "blank_in_name": "line 7, section ROWS.*without blanks",
    "columns_before_rows": "line 2.*section ROWS before it",
    "crossed_bounds": "'z'.*lower limit 5.*upper limit 4",
    "data_before_any_section": "line 1.*section header",
    "empty": "without ENDATA",
    "empty_infeasible_row": "'lonely'.*no entries",
    "indicators": "line 17.*INDICATORS.*unsupported",
    "infinite_coefficient": r"line 12, section COLUMNS, field 3 \(value\): '1e999'.*finite",
    "integers_not_closed": "line 14.*INTEND",
    "marker": "line 8.*SOSORG.*INTORG",
    "missing_value": "line 12.*pairs of row and value",
    "nan_coefficient": r"line 12, section COLUMNS, field 3 \(value\): 'nan'.*finite",
    "negative_upper_without_lower": "line 18, section BOUNDS.*'-4'.*lower bound",
    "no_columns": "no column",
    "no_endata": "line 18 without ENDATA",
    "no_integer_between_bounds": "'a'.*integer between",
    "no_objective": "line 7.*N row",
    "not_utf8": "line 5: byte 0xe9",
    "number_with_underscore": "line 12.*1_0.*finite",
    "quadratic": "line 17.*QUADOBJ.*unsupported",
    "range_of_objective": "line 18.*'profit'.*no range",
    "repeated_bound": "line 19.*'z'.*second",
    "repeated_entry": r"line 13, section COLUMNS, field 2 \(row\): 'pair'.*second",
    "repeated_rhs": "line 17.*'weight'.*second",
    "repeated_row": "line 7.*'weight'.*another row",
    "repeated_section": "line 17.*'RHS'.*once",
    "row_type": "line 6.*'Q'.*N, L, G or E",
    "second_bound_set": "line 19.*'other'.*unsupported",
    "semicontinuous": "line 18.*'SC'.*unsupported",
    "sense": "line 3.*'BEST'.*MIN or MAX",
    "sos": "line 17.*SOS.*unsupported",
    "split_column": "line 15.*'a'.*together",
    "undeclared_row": "line 12.*'pairs'.*declared in ROWS",
    "undeclared_row_in_rhs": "line 16.*'weights'.*declared in ROWS",
    "unknown_section": "line 17.*'RAGNES'.*section",
    "word_for_a_number": "line 12.*'many'.*finite",
}


@pytest.fixture(params=["whole", "line by line"])
def blocks(request, monkeypatch):
    """Read in one block, and in blocks of about a line, which takes entries by the fast path."""
    if request.param == "line by line":
        monkeypatch.setattr(text, "_BLOCK", 8)


@pytest.mark.parametrize("what", sorted(BAD))
def test_a_broken_file_is_refused_with_place_and_expectation(what, blocks):
    with pytest.raises(InvalidProblem, match=rf"bad_{what}\.mps.*{BAD[what]}"):
        read_mps(FILES / f"bad_{what}.mps")


def test_every_broken_file_has_its_expectation():
    assert {path.stem for path in FILES.glob("bad_*.mps")} == {f"bad_{what}" for what in BAD}


def test_what_is_not_gz_but_called_so_is_refused(tmp_path):
    with pytest.raises(InvalidProblem, match="broken or truncated gz"):
        read_mps(FILES / "bad_not_gz.mps.gz")
    whole = gzip.compress(KNAPSACK.encode())
    for cut in (5, 12, len(whole) - 4):
        (tmp_path / "cut.mps.gz").write_bytes(whole[:cut])
        with pytest.raises(InvalidProblem, match="broken or truncated gz"):
            read_mps(tmp_path / "cut.mps.gz")


def test_a_gz_bomb_stops_at_the_size_limit(tmp_path):
    bomb = tmp_path / "bomb.mps.gz"
    bomb.write_bytes(gzip.compress(b"* comment\n" * 1_000_000))
    with pytest.raises(InvalidProblem, match="more than 1000000 bytes"):
        read_mps(bomb, limit=1_000_000)
    bomb.write_bytes(gzip.compress(b"x" * 3_000_000))
    with pytest.raises(InvalidProblem, match="line of more than"):
        read_mps(bomb)


def test_every_truncation_of_a_file_is_refused(tmp_path):
    for cut in range(len(KNAPSACK.rstrip()) - 1):
        (tmp_path / "cut.mps").write_text(KNAPSACK[:cut])
        with pytest.raises(InvalidProblem, match=r"cut\.mps"):
            read_mps(tmp_path / "cut.mps")


def test_a_good_file_reads_the_same_in_any_dress(tmp_path, blocks):
    problem = read_mps(FILES / "knapsack.mps")
    assert problem.name == "knapsack" and problem.var_names == ("a", "b", "z")
    assert problem.row_names == ("weight", "least", "pair")
    assert problem.A.toarray().tolist() == [[2, 1, 0], [0, 0, 1], [1, -1, 0]]
    assert problem.ub.tolist() == [1, 1, 4] and problem.c.tolist() == [3, 2, 0.5]
    dresses = {
        "crlf.mps": KNAPSACK.replace("\n", "\r\n").encode(),
        "packed.mps.gz": gzip.compress(KNAPSACK.encode()),
        "tabs.mps": KNAPSACK.replace("    ", "\t").encode(),
        "comments.mps": KNAPSACK.replace("\n", "\n* a comment\n\n").encode(),
        "notes.mps": (KNAPSACK + "\nNotes after the end\n").encode(),
        "no_final_newline.mps": KNAPSACK.rstrip().encode(),
        "no_set_names.mps": KNAPSACK.replace("    rhs  ", "    ").replace("UP bnd", "UP").encode(),
        "byte_order_mark.mps": b"\xef\xbb\xbf" + KNAPSACK.encode(),
        "column_one.mps": re.sub("^ +", "", KNAPSACK, flags=re.MULTILINE).encode(),
        "dollar.mps": re.sub(r"(?m)^( .*)$", r"\1 $ 1 a", KNAPSACK).encode(),
        "bare_marker.mps": KNAPSACK.replace("'", "").encode(),
        "pairs_apart.mps": KNAPSACK.replace("  weight  2", "\n    a  weight  2").encode(),
        "second_objective.mps": KNAPSACK.replace(" E  pair", " E  pair\n N  other")
        .replace("pair  1\n", "pair  1  other  7\n")
        .encode(),
    }
    for name, content in dresses.items():
        (tmp_path / name).write_bytes(content)
        assert read_mps(tmp_path / name).fingerprint == problem.fingerprint, name


def test_a_dollar_that_begins_a_declared_name_is_no_comment(tmp_path, blocks):
    (tmp_path / "d.mps").write_text(KNAPSACK.replace("weight", "$weight").replace("z", "$z"))
    problem = read_mps(tmp_path / "d.mps")
    assert problem.fingerprint == read_mps(FILES / "knapsack.mps").fingerprint
    assert (problem.var_names[2], problem.row_names[0]) == ("$z", "$weight")


@pytest.mark.parametrize("word", ["Inf", "inf", "INFINITY", "+inf", "1e20", "1e400"])
def test_infinite_bounds_and_sides_are_read_in_words_and_numbers(tmp_path, word):
    text = KNAPSACK.replace("weight  3", f"weight  {word}")
    (tmp_path / "i.mps").write_text(text.replace("UP bnd  z  4", f"UP bnd  z  {word}\n UP bnd  a  {word}"))
    problem = read_mps(tmp_path / "i.mps")
    assert problem.ub.tolist() == [np.inf, 1, np.inf] and problem.row_hi[0] == np.inf and problem.integer[0]


def test_fractional_bounds_of_integers_are_rounded_inwards_with_one_warning(tmp_path, caplog):
    bounds = "UP bnd  a  1.5\n LO bnd  b  0.5\n UP bnd  b  7\n UP bnd  z  1.5"
    (tmp_path / "f.mps").write_text(KNAPSACK.replace("UP bnd  z  4", bounds))
    problem = read_mps(tmp_path / "f.mps")
    assert (problem.lb.tolist(), problem.ub.tolist()) == ([0, 1, 0], [1, 7, 1.5])
    (record,) = caplog.records
    assert "[0, 1.5] of variable 'a' (column 0) and 1 others" in record.getMessage()
    assert len(problem.notes) == 1 and record.getMessage().endswith(problem.notes[0])


def test_a_column_that_only_bounds_name_is_kept_with_a_warning(tmp_path, caplog):
    (tmp_path / "u.mps").write_text(KNAPSACK.replace("UP bnd  z  4", "UP bnd  z  4\n UI bnd  y  3\n LO bnd  w  -2"))
    problem = read_mps(tmp_path / "u.mps")
    assert problem.var_names == ("a", "b", "z", "y", "w") and problem.c[3:].tolist() == [0, 0]
    assert problem.lb.tolist() == [0, 0, 0, 0, -2] and problem.integer.tolist() == [True, True, False, True, False]
    (record,) = caplog.records
    assert "line 19: variable 'y' and 1 others" in record.getMessage()


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("z  profit  0.5", "z  profit  1e20", r"variable 'z' \(column 2\) has objective coefficient 1e\+20"),
        ("a  profit  3  weight  2", "a  profit  3  weight  1e16", r"row 'weight' \(row 0\), variable 'a' .* is 1e\+16"),
        ("a  pair", "RHS  pair", "line 10.*'RHS'; expected a column with no section's name"),
        (
            "    mark  'MARKER'  'INTORG'",
            "    NAME  'MARKER'  'INTORG'",
            "line 8.*'NAME'; expected a column with no section",
        ),
        ("UP bnd", "UP a", "line 18.*'a'; expected a name of the set that no column has"),
        ("RHS\n    rhs  weight", "RHS weight", "line 15, field 2: 'weight'; expected nothing after RHS"),
    ],
)
def test_more_broken_files_are_refused_with_place_and_expectation(tmp_path, old, new, message):
    assert old in KNAPSACK
    (tmp_path / "bad.mps").write_text(KNAPSACK.replace(old, new))
    with pytest.raises(InvalidProblem, match=rf"bad\.mps.*{message}"):
        read_mps(tmp_path / "bad.mps")


def test_objective_sense_and_offset(tmp_path):
    for sense, maximize in [("OBJSENSE\n    MAX\n", True), ("OBJSENSE MAXIMIZE\n", True), ("OBJSENSE\nMIN\n", False)]:
        (tmp_path / "s.mps").write_text(sense + KNAPSACK.replace("weight  3", "profit  -7"))
        problem = read_mps(tmp_path / "s.mps")
        assert problem.maximize is maximize and problem.offset == 7.0


INTEGER_BOUNDS = [
    ("", 0, 1),
    (" UP bnd a 5", 0, 5),
    (" UI bnd a 5", 0, 5),
    (" LO bnd a 0", 0, np.inf),
    (" LI bnd a 2", 2, np.inf),
    (" PL bnd a", 0, np.inf),
    (" MI bnd a", -np.inf, np.inf),
    (" FR bnd a", -np.inf, np.inf),
    (" FX bnd a 3", 3, 3),
    (" BV bnd a", 0, 1),
    (" LO bnd a -2\n UP bnd a -1", -2, -1),
    (" UP bnd a -1\n MI bnd a", -np.inf, -1),
]


@pytest.mark.parametrize("line, lower, upper", INTEGER_BOUNDS)
def test_bounds_of_integer_columns_follow_the_convention_of_the_solvers(tmp_path, line, lower, upper):
    highspy = pytest.importorskip("highspy")
    path = tmp_path / "bounds.mps"
    path.write_text(re.sub(r"BOUNDS\n.*\n", f"BOUNDS\n{line}\n", KNAPSACK))
    problem = read_mps(path)
    assert (problem.lb[0], problem.ub[0], problem.integer[0]) == (lower, upper, True)
    assert (problem.lb[2], problem.ub[2], problem.integer[2]) == (0, np.inf, False)
    lp = _highs(highspy, path)
    assert (lp.col_lower_[0], lp.col_upper_[0]) == (lower, upper)


@pytest.mark.parametrize("width", [2.0, -2.0, 0.0])
def test_ranges_agree_with_highs(tmp_path, width):
    highspy = pytest.importorskip("highspy")
    path = tmp_path / "ranges.mps"
    ranges = f"RANGES\n    rng  weight  {width}  least  {width}\n    rng  pair  {width}\nBOUNDS"
    path.write_text(KNAPSACK.replace("BOUNDS", ranges))
    problem, lp = read_mps(path), _highs(highspy, path)
    assert problem.row_lo.tolist() == list(lp.row_lower_) and problem.row_hi.tolist() == list(lp.row_upper_)


def _highs(highspy, path):
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    return highs.getLp()


@st.composite
def problems(draw):
    n, m = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    number = st.floats(-1e15, 1e15, exclude_min=True, exclude_max=True, allow_subnormal=False)
    lower = st.one_of(st.just(0.0), st.just(-np.inf), st.integers(-9, 0).map(float), st.floats(-1e9, 0))
    upper = st.one_of(st.just(np.inf), st.integers(1, 9).map(float), st.floats(1, 1e9), st.just(1.0))
    sides = st.tuples(st.one_of(st.just(-np.inf), number), st.one_of(st.just(np.inf), number), st.booleans())
    pairs = [(lo, lo) if equal and np.isfinite(lo) else (min(lo, hi), max(lo, hi)) for lo, hi, equal in
             draw(st.lists(sides, min_size=m, max_size=m))]  # fmt: skip
    A = np.array(draw(st.lists(st.one_of(st.just(0.0), number), min_size=m * n, max_size=m * n))).reshape(m, n)
    vector = lambda values: draw(st.lists(values, min_size=n, max_size=n))  # noqa: E731
    integer, lb, ub = np.array(vector(st.booleans())), np.array(vector(lower)), np.array(vector(upper))
    return ILP.build(
        vector(number), A, [lo for lo, _ in pairs], [hi for _, hi in pairs],
        np.where(integer, np.ceil(lb), lb), np.where(integer, np.floor(ub), ub), integer,
        maximize=draw(st.booleans()), offset=draw(number),
    )  # fmt: skip


@given(problems(), st.booleans())
@settings(max_examples=200)
def test_what_was_written_reads_back_bit_for_bit(tmp_path_factory, problem, packed):
    empty = np.diff(problem.A.indptr) == 0
    if (empty & ((problem.row_lo > 0) | (problem.row_hi < 0))).any():
        return  # the reader refuses impossible rows
    path = tmp_path_factory.getbasetemp() / ("round.mps.gz" if packed else "round.mps")
    write_mps(problem, path)
    copy = read_mps(path)
    assert copy.fingerprint == problem.fingerprint
    assert copy.var_names == tuple(f"x{j}" for j in range(problem.n))


def test_names_and_an_objective_row_of_the_same_name_survive(tmp_path):
    problem = ILP.build(
        [1, 0], [[1, 1]], row_hi=4, ub=3, var_names=("größe", "b"), row_names=("objective",), name="two words"
    )
    write_mps(problem, tmp_path / "n.mps")
    copy = read_mps(tmp_path / "n.mps")
    assert (
        copy.var_names == ("größe", "b")
        and copy.row_names == ("objective",)
        and copy.fingerprint == problem.fingerprint
    )


def test_what_mps_cannot_hold_is_refused(tmp_path):
    for change, message in [
        ({"var_names": ("two words",)}, "two words"),
        ({"ub": 1e25}, "1e20"),
        ({"row_lo": -1e25}, "1e20"),
    ]:
        with pytest.raises(InvalidProblem, match=message):
            write_mps(ILP.build([1.0], [[1.0]], **{"row_hi": 1.0, **change}), tmp_path / "x.mps")
    assert not list(tmp_path.iterdir())


def _real() -> list[Path]:
    folder = Path(os.environ.get("REPRISE_DATA", "datasets")) / "ilp"
    return sorted(folder.glob("*.mps*"))


@pytest.mark.skipif(not _real(), reason="no MIPLIB files under REPRISE_DATA")
def test_real_files_agree_with_their_headers_and_with_highs(tmp_path, blocks):
    highspy = pytest.importorskip("highspy")
    for path in _real():
        problem = read_mps(path)
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for key, ours in (("COLUMNS", problem.n), ("INTEGER", int(problem.integer.sum())), ("NONZERO", problem.A.nnz)):
            header = re.search(rf"^\*{key}: *([\d,]+)".encode(), content, re.MULTILINE)
            assert header is None or int(header[1].replace(b",", b"")) == ours, (path.name, key)
        plain = tmp_path / f"{problem.name}.mps"
        plain.write_bytes(content)
        lp = _highs(highspy, plain)
        theirs = ILP.build(
            lp.col_cost_,
            _csc(lp),
            lp.row_lower_,
            lp.row_upper_,
            lp.col_lower_,
            lp.col_upper_,
            [kind != highspy.HighsVarType.kContinuous for kind in lp.integrality_],
            offset=lp.offset_,
        )
        assert theirs.fingerprint == problem.fingerprint, path.name


def _csc(lp):
    import scipy.sparse as sp

    matrix = lp.a_matrix_
    return sp.csc_matrix((matrix.value_, matrix.index_, matrix.start_), shape=(lp.num_row_, lp.num_col_))


@given(st.integers(0, len(KNAPSACK) - 1), st.binary(max_size=3), st.integers(0, 4))
@settings(max_examples=400)
def test_a_damaged_file_is_a_valid_problem_or_an_invalid_problem_error(tmp_path_factory, place, junk, lost):
    path = tmp_path_factory.getbasetemp() / "damaged.mps"
    content = KNAPSACK.encode()
    path.write_bytes(content[:place] + junk + content[place + lost :])
    try:
        problem = read_mps(path)
    except InvalidProblem as error:
        assert "damaged.mps" in str(error)
    else:
        problem.validate()


def test_a_message_cannot_carry_control_characters_to_the_terminal(tmp_path):
    (tmp_path / "evil.mps").write_bytes(b"\x1b[2J\x07 noise\n")
    with pytest.raises(InvalidProblem) as caught:
        read_mps(tmp_path / "evil.mps")
    assert str(caught.value).isprintable()
    assert "\\x1b[2J" in str(caught.value)
