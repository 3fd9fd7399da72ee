"""Every benchmark runs at toy size and prints and saves ratios; the harness computes what it says. No time is asserted."""

import csv
import json
import os
import signal

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.harness import Case, Harness, Target
from benchmarks.measure import CPU, WALL, Probe, measure
from runs import interrupt

pytest.importorskip("pyscipopt")
pytest.importorskip("highspy")
pytest.importorskip("ortools")
pytest.importorskip("networkx")

SLOW = ("startup", "training_dynamics", "lns", "sharding_search", "sharding_planners")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
def test_a_benchmark_prints_and_saves_ratios_at_toy_size(name, tmp_path, capsys):
    assert main([name, "--size", "toy", "--repeats", "1", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"{name}:" in printed and "ratio to" in printed and "Python 3" in printed
    record = json.loads((tmp_path / f"{name}_toy.json").read_text())
    assert {"date", "hardware", "packages", "revision", "load"} <= set(record)
    with (tmp_path / f"{name}_toy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(record["rows"])
    assert any(float(row["ratio_median"] or 0) > 0 and row["ratio_median"] != "1.0" for row in rows)
    assert not any(row["remark"].startswith("given up") for row in rows)


def counting(calls, name, amount):
    def run(probe: Probe) -> None:
        calls.append((probe.round, name))
        probe.value("cost", amount * (probe.round + 1), "units")

    return run


def test_contenders_take_turns_and_ratios_pair_within_a_round():
    calls: list[tuple[int, str]] = []
    case = Case("case", {"a": counting(calls, "a", 2.0), "b": counting(calls, "b", 6.0)}, "a")
    first, second = Harness(3).compare(case)
    assert calls == [(-1, "a"), (-1, "b"), (0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]
    assert (first.amount.low, first.amount.median, first.amount.high) == (2.0, 4.0, 6.0)
    assert (second.ratio.low, second.ratio.median, second.ratio.high) == (3.0, 3.0, 3.0)
    assert (second.quantity, second.unit, second.rounds) == ("cost", "units", 3)


@pytest.mark.parametrize(
    ("limit", "sense", "remark"),
    [
        (3.0, "at most", "at most 3: met"),
        (2.0, "at most", "at most 2: missed"),
        (3.0, "at least", "at least 3: met"),
        (4.0, "at least", "at least 4: missed"),
    ],
)
def test_a_target_is_told_met_or_missed_by_the_median_ratio(limit, sense, remark):
    target = Target("b", "cost", "units", limit, sense)
    case = Case("case", {"a": counting([], "a", 2.0), "b": counting([], "b", 6.0)}, "a", [target], warm_up=False)
    assert [row.remark for row in Harness(2).compare(case)] == ["", remark]


def test_scoring_sees_all_rounds_and_a_baseline_of_zero_has_no_ratio():
    seen = []

    def score(rounds):
        seen.append([sorted(probes) for probes in rounds])
        for probes in rounds:
            for name, probe in probes.items():
                probe.amounts = {("gap", "%"): 0.0 if name == "a" else 1.0}

    def run(probe: Probe) -> None:
        probe.result = probe.round

    rows = Harness(2).compare(Case("case", {"a": run, "b": run}, "a", score=score))
    assert seen == [[["a", "b"], ["a", "b"]]]
    assert [(row.amount.median, row.ratio) for row in rows] == [(0.0, None), (1.0, None)]


def test_phases_add_up_by_their_share_and_nested_phases_do_not_exceed_the_outer_one():
    def run(probe: Probe) -> None:
        for _ in range(4):
            with probe.during("outer", share=0.25), probe.during("inner", share=0.25):
                sum(range(20_000))

    probe = measure(run)
    assert set(probe.amounts) == {(phase, unit) for phase in ("outer", "inner") for unit in (WALL, CPU)}
    assert 0 < probe.amounts["inner", WALL] <= probe.amounts["outer", WALL]


def test_a_command_is_timed_with_its_children_and_its_failure_is_not_hidden():
    probe = measure(["bash", "-c", "for ((i = 0; i < 20000; i++)); do :; done"])
    assert probe.amounts["total", CPU] > 0
    with pytest.raises(Exception, match="exit status 3"):
        measure(["bash", "-c", "exit 3"])


def test_a_signal_during_a_solve_stops_the_benchmark_instead_of_measuring_nothing():
    def stopped(probe: Probe) -> None:
        with interrupt.watch():
            os.kill(os.getpid(), signal.SIGTERM)
            while not interrupt.requested():
                pass

    try:
        with pytest.raises(interrupt.Interrupted):
            Harness(2).compare(Case("case", {"a": stopped}, "a"))
    finally:
        interrupt.clear()


def test_an_unknown_name_is_refused_with_the_names_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["sub_ilps"])
    assert ", ".join(NAMES) in capsys.readouterr().err
