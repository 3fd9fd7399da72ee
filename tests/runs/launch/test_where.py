"""``--where KEY`` names the files, rows and overrides that set a key, in the order in which they are merged."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runs.launch import command
from runs.launch.config_folder import register
from runs.launch.where import Composition, render
from runs.names import register_resolvers
from tests.composition import CONF


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONF.parent)


@functools.cache
def composition(*overrides: str) -> tuple[Composition, DictConfig]:
    register_resolvers()
    setup_globals()
    register()
    command._replace_plugin_configurations()
    version.setbase("1.3")
    loader = ConfigLoaderImpl(command._search_path(None))
    cfg = loader.load_configuration("config", list(overrides), RunMode.MULTIRUN, validate_sweep_overrides=False)
    return Composition(loader, list(overrides)), cfg


def where(*arguments: str) -> list[str]:
    """What is printed, with the spaces between columns as one."""
    *overrides, key = arguments
    pieces, cfg = composition(*overrides)
    HydraConfig.instance().set_config(cfg)
    return [" ".join(line.split()) for line in render(pieces, cfg, key).splitlines()]


def test_a_setting_goes_from_the_groups_file_over_the_parent_and_a_row_to_the_command_line() -> None:
    assert where("experiment=ssl/simclr_small", "optimizer.lr=0.1", "optimizer.lr") == [
        "optimizer.lr, the last one holds:",
        "conf/optimizer/sgd.yaml 0.01",
        "conf/experiment/ssl/_small.yaml 0.06",
        "conf/ssl/small.rows.yaml: simclr 0.06",
        "-> command line 0.1",
    ]


def test_a_group_names_who_chooses_and_what_is_merged() -> None:
    assert where("experiment=ssl/simclr_small", "optimizer=adamw", "optimizer") == [
        "optimizer=, the last one chooses:",
        "conf/config.yaml null",
        "conf/experiment/ssl/_base.yaml lars",
        "conf/experiment/ssl/_small.yaml sgd",
        "-> command line adamw",
        "optimizer, merged in this order:",
        "conf/optimizer/adamw.yaml "
        "{_target_: torch.optim.AdamW, _partial_: true, lr: 0.001, weight_decay: 0.01, amsgrad: false}",
        "conf/experiment/ssl/_small.yaml {lr: 0.06, weight_decay: 0.0005}",
        "conf/ssl/small.rows.yaml: simclr {lr: 0.06}",
    ]


def test_an_override_of_data_replaces_what_its_parents_choose() -> None:
    chosen = where("experiment=ssl/simclr_small", "data")
    assert chosen[:4] == [
        "data=, the last one chooses:",
        "conf/config.yaml null",
        "conf/experiment/ssl/_base.yaml images/cifar10",
        "-> conf/experiment/ssl/_small.yaml images/cifar10_small",
    ]
    assert chosen[4] == "data, merged in this order:"
    assert not any("cifar10.yaml {name" in line for line in chosen)


def test_a_group_placed_elsewhere_is_asked_for_as_it_is_chosen() -> None:
    expected = ["data/views=, the last one chooses:", "-> conf/experiment/ssl/_small.yaml small"]
    for key in ("/data/views@data.views", "data/views"):
        told = where("experiment=ssl/simclr_small", key)
        assert [told[0], told[-1]] == expected
    told = where("experiment=lb_relax/one", "solver/milp@lns.repair=scip", "solver/milp@lns.repair")
    assert told[1:] == ["conf/lns/default.yaml highs", "-> command line scip"]


def test_a_mapping_that_is_replaced_as_a_whole_is_named() -> None:
    told = where("experiment=cl_lns/ca_small", "lns/method=rl_lns", "data.collector.size")
    assert told[-2:] == [
        "conf/data/ilp_expert.rows.yaml: ca_small 8",
        "-> conf/lns/method.rows.yaml: rl_lns data.collector: null",
    ]


def test_interpolations_are_shown_as_written_and_resolved() -> None:
    told = where("experiment=ssl/table_families_small", "optimizer.lr")
    assert told[-1] == (
        "-> conf/experiment/ssl/table_families_small.yaml ${rates.${hydra:runtime.choices.ssl/small}} = 0.2"
    )
    assert where("experiment=lb_relax/one", "data.count")[-1] == (
        "-> conf/data/ilp.rows.yaml: ca_demo ${where_absent:${.path},2} = 2"
    )


def test_swept_values_stand_between_the_files_and_the_command_line() -> None:
    told = where("experiment=ssl/table_rates_small", "optimizer.lr")
    assert told[0] == "optimizer.lr, the last one holds:"
    assert told[-1] == "-> conf/experiment/ssl/table_rates_small.yaml 0.01,0.03,0.06,0.2 (swept)"
    told = where("experiment=lb_relax/table_schedule_small", "lns/ablation=beta_25,gamma_1", "lns/ablation")
    assert told[-3:] == [
        "conf/experiment/lb_relax/table_schedule.yaml base,${methods.variants},lp_reuse (swept)",
        "conf/experiment/lb_relax/table_schedule_small.yaml base,${methods.variants},lp_afresh (swept)",
        "-> command line beta_25,gamma_1 (swept)",
    ]


def test_what_the_command_line_adds_and_deletes_is_told() -> None:
    assert where("experiment=lb_relax/one", "+trainer.new=[1,2]", "trainer.new")[1:] == ["-> command line [1, 2]"]
    assert where("experiment=lb_relax/one", "~task.checkpoint_seconds", "task.checkpoint_seconds")[1:] == [
        "conf/task/ilp/search.yaml 1",
        "-> command line deleted",
    ]


@pytest.mark.parametrize(
    "experiment", ["lb_relax/table_small", "cl_lns/table_shift_small", "scan_snap/figure_8", "ssl/mae_small"]
)
def test_the_last_one_holds_what_is_composed(experiment: str) -> None:
    _, cfg = composition(f"experiment={experiment}")
    plain: Any = OmegaConf.to_container(cfg, resolve=False)
    for key in ("trainer.max_epochs", "method", "task._target_", "paths.cache"):
        held = functools.reduce(lambda node, part: node[part], key.split("."), plain)
        assert where(f"experiment={experiment}", key)[-1].partition(" = ")[0].endswith(f" {held}")


def test_the_command_prints_it_and_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(lambda cfg: pytest.fail(), ["experiment=lb_relax/one", "seed=3", "--where", "seed"]) == 0
    assert capsys.readouterr().out == "seed, the last one holds:\n   conf/config.yaml  0\n-> command line      3\n"


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("optimizer.lrr", "optimizer.lr"),
        ("optimzer", "optimizer"),
        ("ssl/smal", "ssl/small"),
        ("data.batchsize", "data.batch_size"),
    ],
)
def test_an_unknown_key_is_answered_in_one_line_with_the_nearest_one(
    capsys: pytest.CaptureFixture[str], key: str, nearest: str
) -> None:
    assert command.main(lambda cfg: None, ["experiment=ssl/simclr_small", "--where", key]) == 2
    assert capsys.readouterr().err == f"error: nothing sets '{key}' here; did you mean '{nearest}'?\n"
