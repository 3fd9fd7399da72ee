"""CL-LNS through the launcher: collect, train, search; the policy is trained once; killed and continued; two processes."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from runs.claims.claim import load_claims
from runs.claims.published import load_published
from runs.errors import ConfigError
from runs.launch.rows import choices
from runs.store.trained_run import TrainedRun
from tests import composition
from tests.composition import CONF, is_told
from tests.e2e.conftest import Launcher

pytest.importorskip("highspy")
EXPERIMENTS = {choice.name: choice for choice in choices(CONF, "experiment/cl_lns")}
METHODS = sorted(f"{each.group}/{each.name}".removeprefix("lns/method/") for each in choices(CONF, "lns/method"))
TINY = [
    "experiment=cl_lns/ca_small",
    "hydra.mode=RUN",
    "seed=0",
    "data.train.generator={items:30,bids:60}",
    "data.train.count=6",
    "data.validation_share=0.34",
    "data.collector.size=6",
    "data.collector.start_budget.evaluations=1",
    "data.collector.start.size.initial=10",
    "data.batch_size=4",
    "data.test.generator={items:40,bids:80}",
    "data.test.count=2",
    "trainer.max_epochs=3",
    "callbacks.keep_last.every_seconds=0",
]
SEARCH = "task.budget={seconds:null,evaluations:5}"


def composed(*overrides: str) -> dict:
    cfg = composition.composed(*overrides, hydra=True)
    HydraConfig.instance().set_config(cfg)
    return OmegaConf.to_container(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True)


def values(folder: Path, metric: str) -> dict[str, float]:
    results = pd.read_parquet(folder / "results.parquet")
    rows = results[results["metric"] == metric]
    return dict(zip(rows["instance"], rows["value"], strict=True))


def policy(folder: Path) -> dict[str, torch.Tensor]:
    return {k: v for k, v in stored(folder)["weights"].items() if isinstance(v, torch.Tensor)}


def stored(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "policy.pt", weights_only=True)


def launched(launch: Launcher, *arguments: str, cache: Path | None = None) -> Path:
    """The folder of the run."""
    before = set(launch.folders())
    run = launch(*TINY, *arguments, REPRISE_CACHE=str(cache or launch.outputs / "cache"))
    assert run.returncode == 0, run.stdout + run.stderr
    (folder,) = set(launch.folders()) - before
    return folder


def losses(folder: Path) -> list[float]:
    """Of the training steps that the run took."""
    events = [json.loads(line).get("values", {}) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [values["training_loss"] for values in events if "training_loss" in values]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Launcher, Path]:
    launch = Launcher(tmp_path_factory.mktemp("undisturbed"))
    return launch, launched(launch, SEARCH, "trainer.log_every_n_steps=1")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_its_command_and_composes(name: str, tmp_path: Path) -> None:
    assert is_told(EXPERIMENTS[name])
    given = {"apply": ["data.path=x.mps", "checkpoint=x"], "train_own": ["data.path=x"]}.get(name, [])
    cfg = composed(f"experiment=cl_lns/{name}", *given)
    assert "tasks.ilp." in json.dumps(cfg["task"])  # itself or what it measures


@pytest.fixture(scope="module")
def methods() -> dict[str, dict]:
    """The configuration of every method on small auctions."""
    return {name: composed("experiment=cl_lns/ca_small", f"lns/method={name}") for name in METHODS}


def test_methods_are_told_apart_by_name_and_differ(methods: dict[str, dict]) -> None:
    kept = {name: cfg for name, cfg in methods.items() if not name.startswith("shift/")}
    named = [cfg["method"] for name, cfg in kept.items() if not name.endswith("_small")]
    assert len(set(named)) == len(named)
    parts = ("task", "data", "model", "solver", "lns")
    assert len({json.dumps([cfg.get(key) for key in parts]) for cfg in kept.values()}) == len(kept)


@pytest.mark.parametrize("family", ["mvc", "mis", "ca", "sc", "mixed"])
def test_a_policy_of_any_family_is_searched_on_any_other(family: str) -> None:
    for scale in ("", "_small"):
        method, test = f"lns/method=shift/{family}{scale}", f"data/ilp@data.test=sc{scale}_dense"
        cfg = composed(f"experiment=cl_lns/table_shift{scale}", method, test)
        assert cfg["method"] == f"trained on {family}"
        assert cfg["data"]["train"]["name"] == f"{family}{scale}_train"
        assert cfg["data"]["name"] == cfg["data"]["test"]["name"] == f"sc{scale}_dense"
        assert cfg["lns"]["size"]["initial"] == cfg["data"]["test"]["neighborhood_size"]


def test_every_claim_names_methods_and_an_experiment_that_there_are(methods: dict[str, dict]) -> None:
    names = {cfg["method"] for cfg in methods.values()}
    for claim in load_claims("cl_lns"):
        assert claim.experiment.split("/")[1] in EXPERIMENTS
        assert {claim.ours, *claim.opponents} <= names
    assert all(number.recalled for number in load_published("cl_lns"))


def test_the_whole_method_runs_and_is_then_finished(undisturbed: tuple[Launcher, Path]) -> None:
    launch, folder = undisturbed
    assert set(values(folder, "feasible").values()) == {1.0}
    assert len(losses(folder)) == 3
    written = (folder / "metrics.json").stat().st_mtime_ns
    run = launch(*TINY, SEARCH, "trainer.log_every_n_steps=1", REPRISE_CACHE=str(launch.outputs / "cache"))
    assert run.returncode == 0
    assert (folder / "metrics.json").stat().st_mtime_ns == written


def test_another_search_takes_the_policy_from_the_cache(undisturbed: tuple[Launcher, Path], launch: Launcher) -> None:
    trained, first = undisturbed
    more = ("task.budget={seconds:null,evaluations:6}", "trainer.log_every_n_steps=1", "data.test.count=1")
    folder = launched(launch, *more, cache=trained.outputs / "cache")
    assert not losses(folder)
    assert all(torch.equal(policy(first)[key], value) for key, value in policy(folder).items())


def test_two_processes_train_the_policy_that_one_does(undisturbed: tuple[Launcher, Path], launch: Launcher) -> None:
    _, alone = undisturbed
    folder = launched(launch, SEARCH, "trainer.log_every_n_steps=1", "hardware=ddp_cpu", "task.cache=null")
    for key, value in policy(folder).items():  # Adam turns rounding into steps where the loss does not see a weight
        torch.testing.assert_close(value, policy(alone)[key], rtol=0, atol=4e-3, msg=key)
    assert stored(folder)["validation"] == pytest.approx(stored(alone)["validation"], rel=1e-5)
    assert losses(folder) == pytest.approx(losses(alone), rel=1e-5)
    assert values(folder, "primal_bound") == pytest.approx(values(alone, "primal_bound"))


@pytest.mark.parametrize(
    ("table", "swept", "named"),
    [
        ("table_ablation_small", "lns/method=random,ablation/gcn", {"random", "cl_lns gcn"}),
        ("table_shift_small", "data/ilp@data.test=ca_small,ca_small_double", {"trained on ca"}),
    ],
)
def test_the_sweeps_of_laptop_size_report(
    table: str, swept: str, named: set[str], undisturbed: tuple[Launcher, Path], launch: Launcher
) -> None:
    tiny = [text for text in TINY if not text.startswith(("experiment=", "hydra.mode="))]
    methods = [] if "lns/method" in swept else ["lns/method=shift/ca_small"]
    more = ("hydra/launcher=basic", SEARCH, "data.test.count=1", "trainer.max_epochs=1", swept, *methods)
    run = launch(f"experiment=cl_lns/{table}", *tiny, *more, REPRISE_CACHE=str(undisturbed[0].outputs / "cache"))
    assert run.returncode == 0, run.stdout + run.stderr
    (report,) = launch.outputs.rglob("report.csv")
    assert named <= set(pd.read_csv(report)["method"])


@pytest.mark.slow
def test_a_training_killed_midway_ends_as_an_undisturbed_one(
    undisturbed: tuple[Launcher, Path], launch: Launcher, launch_fresh: Launcher
) -> None:
    arguments = (*TINY, SEARCH, "trainer.log_every_n_steps=1")
    process = launch_fresh.start(*arguments, REPRISE_CACHE=str(launch.outputs / "cache"))
    while process.poll() is None and not list(launch.outputs.rglob("last.ckpt")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not launch.metrics()
    assert launch(*arguments, REPRISE_CACHE=str(launch.outputs / "cache")).returncode == 0
    (folder,) = launch.folders()
    ours, theirs = policy(folder), policy(undisturbed[1])
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert values(folder, "primal_bound") == values(undisturbed[1], "primal_bound")


def test_a_trained_policy_mixes_with_lb_relax(undisturbed: tuple[Launcher, Path], launch: Launcher) -> None:
    folder = launched(
        launch, SEARCH, "lns/method=mixture", f"checkpoint='{undisturbed[1]}'", "data.neighborhood_size=9"
    )
    assert set(values(folder, "feasible").values()) == {1.0}


def test_a_made_up_backbone_needs_a_configuration_file_only(
    undisturbed: tuple[Launcher, Path], launch: Launcher
) -> None:
    folder = launched(
        launch,
        SEARCH,
        "model/backbone=toy_sum",
        "trainer.max_epochs=1",
        cache=undisturbed[0].outputs / "cache",
    )
    assert stored(folder)["weights"]["_extra_state"]["backbone"] == "SumOfRows()"
    trained = TrainedRun.at(folder)
    assert trained.provenance.method == "cl_lns" and trained.provenance.seed == 0
    with pytest.raises(ConfigError, match=r"model\.backbone\._target_ is toy_paper.* REPRISE_TRUSTED=toy_paper"):
        trained.model()
    again = ("lns/method=trained", f"checkpoint='{folder}'", "data.count=2", "data.generator={items:40,bids:80}")
    run = launch(
        "experiment=cl_lns/apply", "hydra.mode=RUN", SEARCH, "data=ilp/ca_small", *again, REPRISE_TRUSTED="toy_paper"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (search,) = set(launch.folders()) - {folder}
    assert set(values(search, "feasible").values()) == {1.0}
