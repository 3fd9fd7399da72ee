"""Collections of expert records: each step once, whatever dies, races or is damaged, and no wrong hit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.ilp.expert.collection import ExpertCollection, measure, totals
from data.ilp.expert.record import ExpertRecord
from data.ilp.formats.mps_writer import write_mps
from data.ilp.instances import IntegerPrograms
from data.ilp.problem import ILP
from runs.errors import ConfigError
from tests.solvers.lns import experts
from tests.solvers.lns.experts import SETTINGS, Journalled, auctions, expert

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExpertRecord]:
    records = ExpertCollection(auctions(), str(tmp_path_factory.mktemp("undisturbed")), SETTINGS)
    records.fill(expert())
    return {item: _record(records, item) for item in records.items}


def _record(records: ExpertCollection, item: str) -> ExpertRecord:
    record = records.record(item)
    assert record is not None
    return record


def _assert_same(records: ExpertCollection, undisturbed: dict[str, ExpertRecord]) -> None:
    """Same steps in every record; seconds differ."""
    assert list(records.items) == list(undisturbed)
    for item, theirs in undisturbed.items():
        ours = _record(records, item)
        assert (ours.end, len(ours.steps)) == (theirs.end, len(theirs.steps))
        np.testing.assert_array_equal(ours.incumbent, theirs.incumbent)
        for a, b in zip(ours.steps, theirs.steps, strict=True):
            np.testing.assert_array_equal(a.incumbent, b.incumbent)
            for column in ("members", "sizes", "gain", "swapped"):
                np.testing.assert_array_equal(getattr(a.sets, column), getattr(b.sets, column))


def _collector(tmp_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, experts.__file__, str(tmp_path / "cache"), str(tmp_path / "journal")]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)


def _journal(tmp_path: Path) -> list[str]:
    path = tmp_path / "journal"
    return path.read_text().split() if path.exists() else []


@pytest.mark.slow
def test_collectors_killed_at_random_moments_lose_at_most_the_step_in_hand(
    tmp_path: Path, undisturbed: dict[str, ExpertRecord]
) -> None:
    chance = random.Random(4)
    kills = 0
    while kills < 3:
        before = len(_journal(tmp_path))
        victim = _collector(tmp_path)
        while len(_journal(tmp_path)) == before and victim.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4))
        if victim.poll() is not None:
            break
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        kills += 1
    assert kills
    assert _collector(tmp_path).wait(120) == 0
    records = ExpertCollection(auctions(), str(tmp_path / "cache"), SETTINGS)
    _assert_same(records, undisturbed)
    made = Counter(_journal(tmp_path))
    steps = {f"{i}.{t}" for i, record in enumerate(undisturbed.values()) for t in range(1, len(record.steps) + 1)}
    assert steps <= {entry for entry in made if not entry.endswith("!")}
    # a killed collector noted each step only after it was stored, but may yield a continued record's first step again
    assert all(count <= 1 + kills for count in made.values())
    assert sum(count - 1 for count in made.values()) <= kills
    assert not list(records.artifacts.folder.glob("*.steps.artifact")), "finished records leave no unfinished ones"
    assert not list(records.artifacts.folder.glob(".*.part"))


def test_two_collectors_on_one_cache_make_every_step_once(tmp_path: Path, undisturbed: dict[str, ExpertRecord]) -> None:
    pair = [_collector(tmp_path) for _ in range(2)]
    assert [one.wait(120) for one in pair] == [0, 0]
    assert all(count == 1 for count in Counter(_journal(tmp_path)).values())
    assert sum(int(path.read_text()) for path in tmp_path.glob("*.made")) == len(undisturbed)
    _assert_same(ExpertCollection(auctions(), str(tmp_path / "cache"), SETTINGS), undisturbed)


@pytest.mark.slow
def test_worker_processes_make_the_same_records(tmp_path: Path, undisturbed: dict[str, ExpertRecord]) -> None:
    records = ExpertCollection(auctions(), str(tmp_path), SETTINGS)
    assert records.fill(expert(), workers=2).made == len(undisturbed)
    _assert_same(records, undisturbed)


def test_damaged_records_are_made_again_and_whole_ones_are_not(
    tmp_path: Path, undisturbed: dict[str, ExpertRecord]
) -> None:
    journal = tmp_path / "journal"
    records = ExpertCollection(auctions(), str(tmp_path / "cache"), SETTINGS)
    records.fill(Journalled(str(journal)))
    journal.unlink()
    folder = records.artifacts.folder
    flipped = bytearray((folder / "00001.artifact").read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (folder / "00001.artifact").write_bytes(flipped)
    os.truncate(folder / "00002.artifact", 500)
    (folder / "00003.artifact").write_bytes((folder / "00000.artifact").read_bytes())  # another instance's record
    assert records.record("00001") is records.record("00002") is records.record("00003") is None
    assert records.fill(Journalled(str(journal))).made == 3
    assert {entry.split(".")[0] for entry in _journal(tmp_path)} == {"1", "2", "3"}
    _assert_same(records, undisturbed)


def test_an_unfinished_record_of_another_problem_is_not_continued(
    tmp_path: Path, undisturbed: dict[str, ExpertRecord]
) -> None:
    """As after a change of the generator, which the settings do not tell."""
    records = ExpertCollection(auctions(), str(tmp_path), SETTINGS)
    other = next(expert().records(_problem(auctions(), 1), 1))
    with records.artifacts.claim("00000"):
        records.artifacts.put("00000.steps", other.to_bytes())
    records.fill(expert())
    _assert_same(records, undisturbed)


def _problem(programs: IntegerPrograms, position: int) -> ILP:
    programs.setup()
    return programs.test_problems[position][1]  # type: ignore[index]


def test_more_instances_keep_those_that_are_there(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    assert ExpertCollection(auctions(1), str(tmp_path), SETTINGS).fill(Journalled(journal)).made == 1
    report = ExpertCollection(auctions(2), str(tmp_path), SETTINGS).fill(Journalled(journal))
    assert (report.found, report.made) == (1, 1)


def test_other_settings_are_another_collection_and_the_difference_is_named(tmp_path: Path) -> None:
    ExpertCollection(auctions(1), str(tmp_path), SETTINGS).fill(expert())
    other = ExpertCollection(auctions(1), str(tmp_path), {"collector": {"size": 9}, "train": "auctions"})
    assert other.record("00000") is None
    with pytest.raises(ConfigError, match=r"1 of 1 records are missing .* with collector.size 6 \(here 9\)"):
        other.require()


def test_a_failed_instance_is_reported_and_the_others_are_collected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for position in range(2):
        write_mps(_problem(auctions(), position), folder / f"p{position}.mps")
    (folder / "bad.mps").write_text("NAME broken\nROWS\n X nothing\n")
    records = ExpertCollection(IntegerPrograms(path=str(folder)), str(tmp_path / "cache"), SETTINGS)
    report = records.fill(expert())
    assert report.made == 2
    assert list(report.failed) == ["bad unreadable"]
    assert "bad unreadable was not collected" in caplog.text
    assert [records.record(item) is None for item in records.items] == [True, False, False]


def test_a_file_with_new_content_under_an_old_name_is_collected_anew(tmp_path: Path) -> None:
    file = tmp_path / "p.mps"
    names = []
    for position in range(2):
        write_mps(_problem(auctions(), position), file)
        records = ExpertCollection(IntegerPrograms(path=str(file)), str(tmp_path / "cache"), SETTINGS)
        assert records.fill(expert(steps=1)).made == 1
        names += list(records.items)
    assert len(set(names)) == 2


def test_when_no_instance_can_be_collected_the_first_reason_is_given(tmp_path: Path) -> None:
    records = ExpertCollection(auctions(2), str(tmp_path), SETTINGS)
    with pytest.raises(ConfigError, match=r"no instance of auctions could be collected; the first: .*collector.size"):
        records.fill(expert(size=500))


def test_progress_names_states_sets_gap_and_seconds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        ExpertCollection(auctions(2), str(tmp_path), SETTINGS).fill(expert())
    lines = [record.message for record in caplog.records if "collected" in record.message]
    assert len(lines) == 3
    for word in ("states", "positives", "negatives", "lb_gap", "lb_seconds"):
        assert all(word in line for line in lines[1:])


def test_the_measures_count_what_is_in_the_record(undisturbed: dict[str, ExpertRecord]) -> None:
    for record in undisturbed.values():
        numbers = totals(measure(record, positive_share=0.5, negative_share=0.05))
        good = [step.sets.gain[step.sets.swapped == 0] / step.best_gain for step in record.steps]
        bad = [step.sets.gain[step.sets.swapped > 0] / step.best_gain for step in record.steps]
        assert numbers["states"] == len(record.steps)
        assert numbers["positives"] == sum((shares >= 0.5).sum() for shares in good)
        assert numbers["negatives"] == sum((shares <= 0.05).sum() for shares in bad)
        assert numbers["states_without_negatives"] == sum(not (shares <= 0.05).any() for shares in bad)
        assert numbers["lb_gap"] == pytest.approx(np.nanmean([step.lb_gap for step in record.steps]))
