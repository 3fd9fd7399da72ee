"""The configurations of the back ends build what their names say."""

from __future__ import annotations

import pytest
from hydra.utils import instantiate

from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip
from tests.composition import composed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("milp/scip", Scip()),
        ("milp/highs", Highs()),
        ("milp/cp_sat", CpSat()),
        ("bnb", Scip()),
        ("bnb_aggressive", Scip("aggressive")),
        ("cp_sat", CpSat()),
        ("cp_sat_lns", CpSat(lns_only=True, lb_relax_lns=True)),
    ],
)
def test_configuration_builds_the_back_end(path, expected):
    group, _, name = f"solver/{path}".rpartition("/")
    built = instantiate(composed(f"+{group}@built={name}").built, _convert_="all")
    assert type(built) is type(expected) and vars(built) == vars(expected)


def test_method_highs_runs_in_a_child_process():
    built = instantiate(composed("solver=highs").solver, _convert_="all")
    assert isinstance(built, ChildProcess) and isinstance(built.solver, Highs)
