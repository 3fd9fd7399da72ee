"""The configurations of the back ends build what their names say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from solvers.milp.cpsat import CpSat
from solvers.milp.highs import Highs
from solvers.milp.process import ChildProcess
from solvers.milp.scip import Scip

CONF = Path(__file__).parents[3] / "conf" / "solver"


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
    built = instantiate(OmegaConf.load(CONF / f"{path}.yaml"), _convert_="all")
    assert type(built) is type(expected) and vars(built) == vars(expected)


def test_method_highs_runs_in_a_child_process():
    built = instantiate(OmegaConf.load(CONF / "highs.yaml"), _convert_="all")
    assert isinstance(built, ChildProcess) and isinstance(built.solver, Highs)
