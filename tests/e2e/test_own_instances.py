"""A practitioner's folder, from files to a trained policy and from the policy to other files; bad input in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.ilp.formats.mps_writer import write_mps
from data.ilp.generators.ca import CombinatorialAuction
from tests.e2e.conftest import Launcher, Run

pytest.importorskip("highspy")
pytest.importorskip("pyscipopt")
BRIEF = [
    "experiment=cl_lns/train_own",
    "data.collector.size=6",
    "data.collector.steps=2",
    "data.collector.perturbation={step:1,limit:9}",
    "data.collector.start_budget.evaluations=3",
    "data.batch_size=4",
    "data.validation_share=0.4",
    "lns/start=greedy",
    "trainer.max_epochs=2",
    "task.budget={seconds:null,evaluations:3}",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven auctions and a file that is none."""
    folder = tmp_path_factory.mktemp("family of mine")
    for index in range(7):
        problem = CombinatorialAuction(items=40, bids=80)(np.random.default_rng(index), f"auction{index}")
        write_mps(problem, folder / f"auction{index}.mps")
    (folder / "auction2b.mps").write_text("NAME x\nROWS\n N cost\n Q what\n")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Launcher, Run]:
    launch = Launcher(tmp_path_factory.mktemp("outputs"))
    return launch, launch(*BRIEF, f"data.path='{folder}'", REPRISE_CACHE=str(launch.outputs / "cache"))


def bounds(folder: Path) -> dict[str, float]:
    results = pd.read_parquet(folder / "results.parquet")
    rows = results[results["metric"] == "primal_bound"]
    return dict(zip(rows["method"] + " " + rows["instance"], rows["value"], strict=True))


def test_a_folder_becomes_a_policy_that_searches_the_files_kept_back(trained: tuple[Launcher, Run]) -> None:
    launch, run = trained
    assert run.returncode == 0, run.stdout + run.stderr
    assert "auction2b.mps" in run.stdout + run.stderr  # named, and the others are learned from
    (path,) = launch.folders()
    assert set(bounds(path)) == {"cl_lns files/auction5", "cl_lns files/auction6"}
    assert (path / "checkpoints" / "policy.pt").exists()


def test_the_policy_stands_beside_others_on_the_files_kept_back_and_on_a_single_file(
    trained: tuple[Launcher, Run], folder: Path, launch: Launcher
) -> None:
    (checkpoint,) = trained[0].folders()
    apply = ["experiment=cl_lns/apply", f"checkpoint='{checkpoint}'", "task.budget={seconds:null,evaluations:3}"]
    run = launch(
        *apply, "data=ilp_expert/files", f"data.path='{folder}'", "lns/method=random,trained", "hydra/launcher=basic"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (sweep,) = (path.parent for path in launch.outputs.rglob("sweep.json"))
    assert set(bounds(sweep)) == {f"{m} files/auction{i}" for m in ("random", "trained") for i in (5, 6)}
    alone = launch(*apply, f"data.path='{folder / 'auction0.mps'}'", "lns/method=trained")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "files/auction0" in alone.stdout


def test_without_a_teacher_a_policy_learns_from_its_own_rollouts(folder: Path, launch: Launcher) -> None:
    schedule = [
        f"lns.rollouts.{setting}" for setting in ("steps=3", "side_by_side=2", "updates=1", "seconds=null", "nodes=5")
    ]
    shared = [text for text in BRIEF if "collector" not in text and "batch_size" not in text]
    good = folder.parent / "good files"
    good.mkdir()
    for path in folder.glob("auction?.mps"):
        (good / path.name).write_bytes(path.read_bytes())
    run = launch(*shared, f"data.path='{good}'", "lns/method=rl_lns", "model.width=8", *schedule)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = launch.folders()
    assert set(bounds(path)) == {"rl_lns files/auction5", "rl_lns files/auction6"}


def test_bad_input_is_one_line_with_its_remedy(folder: Path, launch: Launcher, tmp_path: Path) -> None:
    single = launch(*BRIEF, f"data.path='{folder / 'auction0.mps'}'")
    assert single.returncode == 2
    assert "a policy is learned from a folder of instances of one family" in single.stderr
    absent = launch("experiment=cl_lns/apply", f"data.path='{folder}'", f"checkpoint={tmp_path}", "lns/method=trained")
    assert absent.returncode == 2
    assert "policy.pt cannot be read" in absent.stdout + absent.stderr
    for run in (single, absent):
        assert "Traceback" not in run.stdout + run.stderr
