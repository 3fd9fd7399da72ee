"""LP files through HiGHS, which parses foreign text and therefore works in a child process under limits.

HiGHS drops constants in rows, adds up a row's repeated terms and creates variables that only a bound names; all three are
refused here, as are truncated files. Repeated terms of the objective are added up, and the last of several bounds counts.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from data.ilp.formats.suffixes import stem
from data.ilp.formats.text import checked, line_blocks, refuse
from data.ilp.problem import ILP
from runs import child
from runs.child import ChildFailure, Limits
from runs.errors import InvalidProblem, require

SIZE_LIMIT = 1 << 28
MEMORY_LIMIT = 4 << 30
TIME_LIMIT = 120.0

_UNSUPPORTED = re.compile(
    rb"(sos[12]?|s[12]\s*::.*|semi-?continuous|semis?|general\s+constraints?|gencons?|lazy\s+constraints|user\s+cuts"
    rb"|pwlobj|scenario|.*\[.*|.*->.*)",
    re.IGNORECASE,
)
_LISTS = re.compile(rb"(bounds?|gen(erals?)?|int(egers?)?|bin(ar(y|ies))?)", re.IGNORECASE)
_INTEGER = 1  # highspy.HighsVarType.kInteger; 0 is continuous


def read_lp(path: Path | str, limit: int = SIZE_LIMIT, memory: int = MEMORY_LIMIT, seconds: float = TIME_LIMIT) -> ILP:
    """Read an LP file, plain or gz; the instance is named after the file.

    Parameters
    ----------
    limit
        Most bytes of text, after decompression.
    memory, seconds
        What the child process may use.

    Raises
    ------
    InvalidProblem
        The file is truncated, HiGHS rejects or silently changes it, uses an unsupported part (SOS, semicontinuous,
        quadratic, indicators), or exceeds a limit.
    MissingDependency
        HiGHS is not installed.
    """
    path = Path(path)
    if importlib.util.find_spec("highspy") is None:
        require("highspy", "solvers")
    text = b"\n".join(line_blocks(path, limit))
    declared = _declared(path, text)
    with tempfile.TemporaryDirectory(prefix="reprise-lp-") as folder:
        arrays = _parse(path, text, Path(folder), memory, seconds)
    problem = _problem(path, arrays)
    unused = (problem.c == 0) & (np.diff(problem.A_csc.indptr) == 0)
    for j in np.flatnonzero(unused):
        if problem.var_names[j].encode() not in declared:
            raise InvalidProblem(
                f"{path}: variable '{problem.var_names[j]}' has a bound or a type but occurs neither in the objective "
                f"nor in a row; expected a declared variable"
            )
    return checked(path, problem)


def _declared(path: Path, text: bytes) -> set[bytes]:
    """Everything that may be a name in the objective and the rows, after the checks that need the text alone."""
    last = b""
    declared: set[bytes] = set()
    in_lists = False
    for number, line in enumerate(text.split(b"\n"), 1):
        content = line.split(b"\\", 1)[0].strip()
        if not content:
            continue
        last = content
        if _UNSUPPORTED.fullmatch(content):
            refuse(path, number, "section or term", content, "a linear problem; this part is unsupported")
        in_lists = in_lists or _LISTS.fullmatch(content) is not None
        if not in_lists:
            declared.update(re.split(rb"[\s+:<>=-]+", content))
    if not last:
        raise InvalidProblem(f"{path} is empty; expected an LP file")
    if last.lower().split()[-1] != b"end":
        raise InvalidProblem(f"{path} ends without 'End'; is it truncated, or no LP file?")
    return declared


def _parse(path: Path, text: bytes, folder: Path, memory: int, seconds: float) -> dict[str, np.ndarray]:
    """The arrays HiGHS made of ``text``, after its status has been judged."""
    source, target = folder / "problem.lp", folder / "problem.npz"
    source.write_bytes(text)
    command: list[str | Path] = [sys.executable, "-P", Path(__file__).with_name("lp_child.py"), source, target]
    limits = Limits(cpu_seconds=seconds + 1, memory_bytes=memory)
    try:
        printed = child.run(command, seconds=seconds, limits=limits)
    except ChildFailure as failure:
        reason = str(failure).replace(str(source), path.name)
        raise InvalidProblem(f"{path} could not be read within {memory >> 20} MiB, by HiGHS: {reason}") from failure
    output = (printed.output + printed.errors).decode(errors="replace").replace(str(source), path.name)
    said = [line for line in output.splitlines() if line.strip()]
    with np.load(target, allow_pickle=False) as stored:
        arrays = dict(stored)
    if arrays["status"] != "ok":
        reason = " / ".join(line for line in said if re.match(r"(error|warning)", line, re.IGNORECASE))
        raise InvalidProblem(
            f"{path} is not what HiGHS takes for a plain LP file ({reason or 'syntax error'}); expected no nan, no constant "
            f"and no repeated variable in a row or the objective, and numbers only to the right of a comparison"
        )
    return arrays


def _problem(path: Path, arrays: dict[str, np.ndarray]) -> ILP:
    if arrays["quadratic"]:
        raise InvalidProblem(f"{path} has a quadratic objective, which is unsupported; expected a linear one")
    types = arrays["types"] if len(arrays["types"]) else np.zeros(len(arrays["c"]), np.int64)
    if (types > _INTEGER).any():
        name = arrays["var_names"][int(np.argmax(types > _INTEGER))]
        raise InvalidProblem(f"{path}: variable '{name}' is semicontinuous, which is unsupported")
    if not len(arrays["c"]):
        raise InvalidProblem(f"{path} declares no variable; expected at least one")
    shape = (len(arrays["row_lo"]), len(arrays["c"]))
    return ILP.build(
        arrays["c"],
        sp.csc_matrix((arrays["values"], arrays["indices"], arrays["starts"]), shape=shape),
        arrays["row_lo"],
        arrays["row_hi"],
        arrays["lb"],
        arrays["ub"],
        types == _INTEGER,
        maximize=bool(arrays["maximize"]),
        offset=float(arrays["offset"]),
        var_names=arrays["var_names"].tolist(),
        row_names=arrays["row_names"].tolist(),
        name=stem(path),
    )
