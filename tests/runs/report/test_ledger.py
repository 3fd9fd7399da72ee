"""The ledger over all papers."""

from __future__ import annotations

import json
import os

import pandas as pd
import pytest

from runs.claims.__main__ import main
from runs.errors import ConfigError
from runs.report.ledger import build_ledger, latest_sweeps

EXPERIMENT = "lb_relax/table_small"


def claim(name: str, experiment: str = EXPERIMENT) -> dict:
    return {
        "id": name,
        "statement": f"statement of {name}",
        "source": "abstract",
        "metric": "cost",
        "better": "lower",
        "ours": "ours",
        "against": "theirs",
        "experiment": experiment,
    }


def outputs_of(sweep, tmp_path):
    """A sweep below outputs/lb_relax, where the launcher puts it."""
    sweep.folder = tmp_path / "outputs" / "lb_relax" / "table_small"
    for method, cost in (("ours", 1.0), ("theirs", 2.0)):
        metrics = {f"ca/{i}": {"cost": cost * (1 + i / 10)} for i in range(9)}
        sweep.run(method, 0, dataset="ca", metrics=metrics)
    return tmp_path / "outputs"


def test_claims_of_all_papers_are_judged_and_those_without_a_sweep_are_not_run(sweep, conf, tmp_path, capsys) -> None:
    outputs = outputs_of(sweep, tmp_path)
    conf(claims=[claim("a"), claim("b", "lb_relax/figure_small")])
    root = conf(claims=[claim("c", "ssl/table_small")], paper="ssl")
    assert main(["--outputs", str(outputs), "--conf", str(root)]) == 0
    table = pd.read_csv(outputs / "claims.csv").set_index("claim")
    assert table["status"].to_dict() == {"a": "reproduced", "b": "not run", "c": "not run"}
    page, printed = (outputs / "claims.html").read_text(), capsys.readouterr().out
    for text in (page, printed):
        assert "statement of c" in text
        assert "python launch.py experiment=ssl/table_small" in text


def test_a_complete_sweep_is_preferred_to_a_newer_partial_one_and_else_the_latest_wins(sweep, tmp_path) -> None:
    folders = {}
    for name, age, whole in (("old", 300, True), ("complete", 200, True), ("partial", 100, False)):
        sweep.folder = tmp_path / "outputs" / name
        folders[name] = sweep.folder
        done = sweep.run("ours", 0, metrics={"all": {"cost": 1.0}})
        os.utime(done / "metrics.json", (1e9 - age, 1e9 - age))
        if not whole:
            sweep.run("theirs", 0, status="killed")
    assert latest_sweeps(tmp_path / "outputs", {EXPERIMENT}) == {EXPERIMENT: folders["complete"]}
    assert latest_sweeps(tmp_path / "outputs", {"lb_relax/other"}) == {}
    assert latest_sweeps(tmp_path / "absent", {EXPERIMENT}) == {}


def test_a_sweep_in_which_nothing_finished_does_not_count(sweep, tmp_path) -> None:
    sweep.folder = tmp_path / "outputs" / "s"
    sweep.run("ours", 0, status="failed")
    assert latest_sweeps(tmp_path / "outputs", {EXPERIMENT}) == {}


def test_a_bad_claims_file_stops_the_ledger_with_its_name(conf, tmp_path, capsys) -> None:
    root = conf(claims=[claim("a") | {"better": "bigger"}])
    with pytest.raises(ConfigError, match="entry 'a': field 'better'"):
        build_ledger(tmp_path / "outputs", root)
    assert main(["--outputs", str(tmp_path / "outputs"), "--conf", str(root)]) == 2
    assert "field 'better'" in capsys.readouterr().err


def test_the_ledger_of_a_fresh_clone_lists_every_claim_as_not_run(conf, tmp_path) -> None:
    ledger = build_ledger(tmp_path / "outputs", conf(claims=[claim("a"), claim("b")]))
    assert [str(judgement.status) for judgement in ledger.judgements] == ["not run", "not run"]
    assert ledger.html.exists()


def test_the_launcher_s_sweep_folder_beats_a_folder_of_single_runs_and_must_hold_all_its_jobs(sweep, tmp_path) -> None:
    for name, age, jobs in (("whole", 300, 1), ("short", 200, 2), ("singles", 100, None)):
        sweep.folder = tmp_path / "outputs" / name
        done = sweep.run("ours", 0, metrics={"all": {"cost": 1.0}})
        os.utime(done / "metrics.json", (1e9 - age, 1e9 - age))
        if jobs is not None:
            (sweep.folder / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    assert latest_sweeps(tmp_path / "outputs", {EXPERIMENT}) == {EXPERIMENT: tmp_path / "outputs" / "whole"}


def test_asked_to_run_it_starts_each_sweep_once_and_says_which_failed(conf, tmp_path, monkeypatch, capsys) -> None:
    launcher = tmp_path / "launch.py"
    launcher.write_text(
        "import os, pathlib, sys\n"
        "with open(os.environ['REPRISE_OUTPUTS'] + '/ran', 'a') as file: file.write(sys.argv[1] + '\\n')\n"
        "sys.exit('bad' in sys.argv[1])\n"
    )
    monkeypatch.setattr("runs.claims.__main__.LAUNCHER", launcher)
    claims = [claim("a"), claim("b"), claim("c", "lb_relax/bad_small"), claim("d", "lb_relax/for_a_cluster")]
    (tmp_path / "outputs").mkdir()
    arguments = ["--run", "--outputs", str(tmp_path / "outputs"), "--conf", str(conf(claims=claims))]
    assert main(arguments) == 1
    started = (tmp_path / "outputs" / "ran").read_text().split()
    assert started == [f"experiment={EXPERIMENT}", "experiment=lb_relax/bad_small"]
    assert "ended with an error: python launch.py experiment=lb_relax/bad_small" in capsys.readouterr().err
    assert (tmp_path / "outputs" / "claims.html").exists()
