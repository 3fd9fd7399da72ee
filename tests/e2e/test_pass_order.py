"""Every experiment on pass orders composes; every one of laptop size runs."""

from __future__ import annotations

import pandas as pd
import pytest

from data.compiler.drawn import drawn_programs
from data.compiler.embedded import LlvmliteCompiler
from runs.launch.rows import choices
from tests.composition import CONF, is_told
from tests.data.compiler.modules import SUM
from tests.e2e.conftest import Launcher
from tests.e2e.laptop import composes, runs

ALL = {choice.name: choice for choice in choices(CONF, "experiment/pass_order")}
DRAWN = [
    "data=programs/drawn",
    "data.count=2",
    "pass_order/source@coreset.source=drawn",
    "coreset.source.count=3",
    "coreset.search.passes=20",
]
LEARNING = [
    "pass_order/source@learning.train=drawn",
    "pass_order/source@learning.validation=drawn",
    "learning.train.count=4",
    "learning.validation.count=3",
    "learning.epochs=2",
    "learning.validate_every=1",
    "learning.layers=1",
    "learning.width=8",
]
BRIEF = {
    "collect_small": [*DRAWN[1:], "coreset.workers=0", "pass_order/source@data.source=drawn"],
    "demo": ["data.count=2"],
    "figure_budget_small": ["pass_order/method=top", "passes=1,2", *DRAWN],
    "figure_coreset_small": ["pass_order/method=top", "coreset_size=1,2", *DRAWN],
    "figure_temperature_small": ["model.training.task.loss.temperature=0.002,1", *DRAWN, *LEARNING],
    "table_encoders_small": ["pass_order/method=nvp_gin,nvp_gean", *DRAWN, *LEARNING],
    "table_llvm10_small": ["pass_order/method=oz,random", "compiler=llvmlite", *DRAWN[:2]],
    "table_main_small": ["pass_order/method=oz,top,local_search", *DRAWN],
}
"""What makes an experiment of laptop size brief."""
NEEDS = {
    "apply": ["data.path=program.bc", "checkpoint=run"],
    "optimise": ["data.path=program.bc"],
    "train_own": ["data.path=folder"],
}
"""What an experiment cannot be composed without."""


@pytest.mark.parametrize("name", ALL)
def test_every_experiment_says_its_command_and_composes(name: str) -> None:
    assert is_told(ALL[name])
    composes("pass_order", name, NEEDS.get(name, []))


@pytest.mark.parametrize("name", sorted({name for name in ALL if name.endswith("_small")} | BRIEF.keys()))
def test_every_experiment_of_laptop_size_runs(launch: Launcher, name: str) -> None:
    runs(launch, "pass_order", name, BRIEF[name], "improvement")


def test_programs_of_ones_own_are_left_as_small_as_was_found(launch: Launcher) -> None:
    """No larger than the level of size leaves them, as files that LLVM reads, with what each pass removed."""
    folder = launch.outputs.parent / "mine"
    folder.mkdir()
    (folder / "sum.ll").write_bytes(SUM)
    (folder / "bad.bc").write_bytes(b"no bitcode")
    run = launch("experiment=pass_order/optimise", f"data.path={folder}", "passes=6", "verify=verifier")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "instructions of 19, at the level of size" in run.stdout and "bad.bc: LLVM" in run.stdout
    files = next(launch.outputs.rglob("sum.opt.bc")).parent
    found = {path.name for path in files.iterdir()}
    assert {"sum.opt.bc", "sum.opt.ll", "sum.passes.txt", "sum.steps.csv"} <= found
    steps = pd.read_csv(files / "sum.steps.csv")
    assert steps["instructions"].iloc[0] == 19 and steps["removed"].sum() == 19 - steps["instructions"].iloc[-1]
    with LlvmliteCompiler() as compiler:
        kept = compiler.load((files / "sum.opt.bc").read_bytes())
        assert kept.count() == steps["instructions"].min() <= compiler.reference(SUM)
        passes = (files / "sum.passes.txt").read_text().split()
        assert passes == [compiler.size_level] or set(passes) <= set(compiler.actions)


def test_what_is_trained_on_ones_own_programs_is_applied_to_others(launch: Launcher) -> None:
    folder = launch.outputs.parent / "mine"
    folder.mkdir()
    for number, program in enumerate(drawn_programs(8)):
        (folder / f"{number}.ll").write_bytes(program.bitcode)
    small = ["passes=3", "learning.epochs=2", "learning.validate_every=1"]
    trained = launch("experiment=pass_order/train_own", f"data.path={folder}", *small, "coreset.search.passes=20")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    run = next(launch.outputs.rglob("pass_predictor.pt")).parents[1]
    applied = launch("experiment=pass_order/apply", f"data.path={folder / '0.ll'}", f"checkpoint={run}", *small)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert next(launch.outputs.rglob("0.opt.bc")).stat().st_size
