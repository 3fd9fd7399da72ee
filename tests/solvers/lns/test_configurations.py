"""Every method of conf/solver/lns builds under every protocol of conf/lns, and shares what the protocol says."""

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from runs.launch.rows import names
from solvers.lns.accept.equal import Equal
from solvers.lns.accept.strict import Strict
from solvers.lns.engine import LargeNeighborhoodSearch
from tests.composition import CONF, composed

METHODS = [name for name in names(CONF, "solver/lns") if name != "base"]


def built(method: str, *overrides: str) -> LargeNeighborhoodSearch:
    cfg = composed("task=ilp/search", "data=ilp/ca_small", f"solver=lns/{method}", *overrides)
    return instantiate(cfg.solver, _convert_="all")


@pytest.mark.parametrize("method", METHODS)
def test_method_builds_and_its_name_is_its_heuristic(method):
    engine = built(method)
    heuristic = type(engine.destroy)
    assert heuristic.__module__ == f"solvers.lns.destroy.{method}"
    assert (engine.size.initial, engine.size.growth, engine.size.largest) == (100, 1.02, 0.5)


def test_protocols_choose_back_end_start_and_reuse():
    paper, small = built("lb_relax", "lns=paper"), built("lb_relax", "lns=small")
    assert type(paper.repair.solver).__name__ == "Scip" and paper.start.seconds == 10 and not paper.destroy.lp.reuse
    assert type(small.repair.solver).__name__ == "Highs" and small.destroy.lp.reuse
    assert type(small.start).__name__ == "Greedy"
    assert built("local_branching", "lns=paper").destroy.seconds == 600
    assert built("proximity", "lns=small").destroy.seconds == 10


def test_one_override_reaches_every_place():
    engine = built("bandit", "lns.lp.reuse=true", "lns.size.growth=1.05", "lns/accept=strict", "lns/start=greedy")
    assert engine.size.growth == 1.05
    assert [engine.destroy.operators[name].lp.reuse for name in ("lb_relax", "lb_relax_r", "lb_relax_s")] == [True] * 3
    assert isinstance(engine.accept, Strict) and engine.repair.mip_start


RULES = names(CONF, "lns/accept")


@pytest.mark.parametrize("rule", RULES)
def test_every_acceptance_rule_is_a_choice_that_builds(rule):
    assert type(built("random", f"lns/accept={rule}").accept).__module__ == f"solvers.lns.accept.{rule}"


def test_the_default_rule_is_equal_and_the_old_setting_is_told_the_new_one():
    assert isinstance(built("random").accept, Equal) and not built("random").repair.mip_start
    with pytest.raises(InstantiationException, match="lns/accept=strict"):
        built("random", "lns.accept=strict")


ABLATIONS = names(CONF, "lns/ablation")


def ablation(name: str) -> DictConfig:
    return composed("experiment=lb_relax/table_schedule_small", f"lns/ablation={name}")


def test_ablations_differ_from_their_base_and_each_has_a_row_of_its_own():
    configurations = {name: ablation(name) for name in ABLATIONS}
    assert len({cfg.method for cfg in configurations.values()}) == len(ABLATIONS)
    contents = {str([cfg.lns, cfg.solver]) for cfg in configurations.values()}
    assert len(contents) == len(ABLATIONS) - 1  # lp_reuse is what conf/lns/small.yaml has anyway
    for name, cfg in configurations.items():
        assert instantiate(cfg.solver, _convert_="all").destroy.__module__.startswith("solvers.lns.destroy.lb_relax"), (
            name
        )


def test_the_sweeps_of_ablations_name_rows_that_exist_and_leave_none_out():
    swept = set()
    for experiment in ("table_schedule", "table_schedule_small"):
        cfg = composed(f"experiment=lb_relax/{experiment}", hydra=True)
        variants = cfg.hydra.sweeper.params["lns/ablation"].split(",")
        assert set(variants) <= set(ABLATIONS)
        swept |= set(variants)
    assert swept == set(ABLATIONS)
