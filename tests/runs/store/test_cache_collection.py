"""Collections: each item once, whatever races, dies or is refused by the disk."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from runs import interrupt
from runs.errors import ConfigError, SolverFailure, StorageError
from runs.store.cache import ArtifactCache, Collection
from runs.store.collect import collect

HERE = Path(__file__).parent
MAKERS = HERE / "collection_makers.py"


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> object:
    """The module that spawned workers import too (they inherit ``sys.path``)."""
    monkeypatch.syspath_prepend(str(HERE))
    import collection_makers

    return collection_makers


@pytest.fixture
def squares(tmp_path: Path, makers: object) -> Collection:
    return ArtifactCache(tmp_path / "cache").collection("squares", makers.CONFIG)  # type: ignore[attr-defined]


def _copy(tmp_path: Path, count: int, seconds: float, workers: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, str(MAKERS), str(tmp_path / "cache"), str(tmp_path / "log")]
    command += [str(count), str(seconds), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _logged(tmp_path: Path) -> Counter[int]:
    return Counter(map(int, (tmp_path / "log").read_text().split()))


def test_eight_copies_make_each_item_exactly_once(tmp_path: Path, squares: Collection, makers: object) -> None:
    count = 120
    copies = [_copy(tmp_path, count, 0.005) for _ in range(8)]
    outputs = [copy.communicate(timeout=100) for copy in copies]
    assert all(copy.returncode == 0 for copy in copies), outputs
    assert _logged(tmp_path) == Counter(range(count))
    shares = [tuple(map(int, output.split())) for output, _ in outputs]
    assert sum(made for made, _, _ in shares) == count
    assert all(made + found == count and failed == 0 for made, found, failed in shares)
    assert all(squares.get(item) == makers.payload_of(item) for item in range(count))  # type: ignore[attr-defined]
    assert not list((squares.folder / "claims").iterdir())


def test_killed_copies_give_their_claims_back(tmp_path: Path, squares: Collection, makers: object) -> None:
    count, chance = 60, random.Random(7)
    survivor = _copy(tmp_path, count, 0.05)
    for _ in range(6):
        victim = _copy(tmp_path, count, 0.05)
        time.sleep(chance.uniform(0.25, 0.6))
        os.killpg(victim.pid, signal.SIGKILL)
        victim.communicate()
    assert survivor.wait(60) == 0, survivor.communicate()
    survivor.communicate()
    assert all(squares.get(item) == makers.payload_of(item) for item in range(count))  # type: ignore[attr-defined]
    made = _logged(tmp_path)
    assert set(made) == set(range(count))
    assert sum(made.values()) - count <= 6, "a killed copy may cost only the item it was making"
    squares.remove_partial_writes()  # what the next copy begins with
    assert not list(squares.folder.glob(".*.part"))


def test_a_writer_killed_at_any_moment_leaves_no_wrong_hit(tmp_path: Path, squares: Collection, makers: object) -> None:
    """The child rewrites two items for ever; each kill must leave both whole."""
    program = (
        "import sys; from runs.store.cache import ArtifactCache; from collection_makers import CONFIG, payload_of\n"
        "squares = ArtifactCache(sys.argv[1]).collection('squares', CONFIG)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for item in (1, 2):\n"
        "        with squares.claim(item) as mine:\n"
        "            squares.put(item, payload_of(item) * 200)\n"
    )
    chance = random.Random(3)
    partial = 0
    for kills in range(1, 100):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "cache")], stdout=subprocess.PIPE, env=_with_path(HERE)
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.03))
        child.kill()
        child.communicate()
        for item in (1, 2):
            assert squares.get(item) in (None, makers.payload_of(item) * 200)  # type: ignore[attr-defined]
        partial += len(list(squares.folder.glob(".*.part")))
        squares.remove_partial_writes()
        assert not list(squares.folder.glob(".*.part"))
        if kills >= 15 and partial:
            break
    assert partial, "no kill fell into a write: the test is too gentle"


def _with_path(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_a_partial_write_of_a_living_writer_is_left_alone(squares: Collection) -> None:
    squares.folder.mkdir(parents=True)
    partial = squares.folder / ".7.artifact.abc.part"
    partial.write_bytes(b"half")
    with squares.claim(7):
        squares.remove_partial_writes()
        assert partial.exists()
    squares.remove_partial_writes()
    assert not partial.exists()


def test_damaged_items_are_remade_and_whole_ones_kept(tmp_path: Path, squares: Collection, makers: object) -> None:
    make = functools.partial(makers.make_logged, log=str(tmp_path / "log"))  # type: ignore[attr-defined]
    collect(squares, 6, make)
    os.truncate(squares.folder / "2.artifact", 100)
    (squares.folder / "4.artifact").unlink()
    report = collect(squares, 6, make)
    assert (report.made, report.found) == (2, 4)
    assert _logged(tmp_path) == Counter([0, 1, 2, 3, 4, 5, 2, 4])


def test_workers_share_the_items_and_report_progress(tmp_path: Path, squares: Collection, makers: object) -> None:
    make = functools.partial(makers.make_logged, log=str(tmp_path / "log"))  # type: ignore[attr-defined]
    steps: list[tuple[int, int]] = []
    squares.put(0, makers.payload_of(0))  # type: ignore[attr-defined]
    report = collect(squares, 20, make, workers=2, progress=lambda done, total: steps.append((done, total)))
    assert (report.made, report.found, report.failed) == (19, 1, {})
    assert steps == [(done, 20) for done in range(1, 21)]
    assert _logged(tmp_path) == Counter(range(1, 20))


@pytest.mark.parametrize("workers", [0, 2])
def test_one_failing_item_does_not_stop_the_others(squares: Collection, makers: object, workers: int) -> None:
    report = collect(squares, 6, makers.make_or_fail, workers=workers)  # type: ignore[attr-defined]
    assert report.failed == {3: "ValueError: three is out of range"}
    assert report.made == 5
    note = squares.failure(3)
    assert note is not None and "make_or_fail" in note["traceback"]
    again = collect(squares, 6, makers.payload_of)  # type: ignore[attr-defined]
    assert (again.made, again.found, squares.failure(3)) == (1, 5, None)


def test_an_item_that_kills_its_worker_fails_alone(tmp_path: Path, squares: Collection, makers: object) -> None:
    make = functools.partial(makers.make_or_die, log=str(tmp_path / "log"))  # type: ignore[attr-defined]
    report = collect(squares, 5, make, workers=2)
    assert set(report.failed) == {2} and "died with code -9" in report.failed[2]
    assert _logged(tmp_path) == Counter([0, 1, 3, 4])


def test_a_failure_recorded_by_a_running_copy_is_not_tried_again(squares: Collection, makers: object) -> None:
    """While this copy makes item 0 another one fails at item 1; a failure from before the start is tried again."""
    tried: list[str] = []
    squares.record_failure("early", "from an earlier start")

    def make(item: str) -> bytes:
        tried.append(item)
        squares.record_failure("b" if item == "a" else "a", "elsewhere")
        return b"x"

    report = collect(squares, ["a", "b"], make)
    assert len(tried) == 1 and list(report.failed.values()) == ["elsewhere"]
    assert collect(squares, ["early"], lambda item: b"x").made == 1


def _is_held(claim: Path) -> bool:
    """A claim's file is there a moment before it is held."""
    if not claim.exists():
        return False
    try:
        with FileLock(claim, blocking=False, is_singleton=False):
            return False
    except Timeout:
        return True


def test_items_held_by_a_living_process_are_waited_for(tmp_path: Path, squares: Collection) -> None:
    holder = _copy(tmp_path, 1, 1.5)
    deadline = time.monotonic() + 30
    while not _is_held(squares.folder / "claims" / "0.lock") and time.monotonic() < deadline:
        time.sleep(0.02)
    report = collect(squares, 1, lambda item: pytest.fail("made twice"))
    assert (report.found, report.made) == (1, 0)
    holder.communicate()


def test_an_interrupt_stops_between_items_and_the_next_start_goes_on(
    squares: Collection, makers: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def stop_at_third() -> None:
        if next(calls) == 3:
            raise interrupt.Interrupted

    monkeypatch.setattr(interrupt, "check", stop_at_third)
    with pytest.raises(interrupt.Interrupted):
        collect(squares, 6, makers.payload_of)  # type: ignore[attr-defined]
    report = collect(squares, 6, makers.payload_of)  # type: ignore[attr-defined]
    assert (report.found, report.made) == (3, 3)


def test_what_cannot_be_sent_to_a_worker_is_refused(squares: Collection) -> None:
    with pytest.raises(ConfigError, match="module-level function"):
        collect(squares, 2, lambda item: b"", workers=1)


def test_a_worker_that_cannot_start_is_reported(squares: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "vanishing_maker.py").write_text("def make(item):\n    return b''\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import vanishing_maker

    (tmp_path / "vanishing_maker.py").unlink()
    with pytest.raises(SolverFailure, match="must be importable"):
        collect(squares, 2, vanishing_maker.make, workers=1)


def test_items_of_one_name_and_payloads_of_another_kind_are_refused(squares: Collection) -> None:
    with pytest.raises(ConfigError, match="same identifier"):
        collect(squares, [1, "1"], lambda item: b"")
    report = collect(squares, 1, lambda item: "text")  # type: ignore[arg-type,return-value]
    assert "make returned str, not bytes" in report.failed[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_ends_the_collection_and_keeps_what_is_there(
    tmp_path: Path, squares: Collection, makers: object, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    collect(squares, 2, makers.payload_of)  # type: ignore[attr-defined]
    if workers:
        (squares.folder / "4.artifact").mkdir()  # a disk error that another process sees too
    else:
        monkeypatch.setattr(os, "replace", _refuse)
    with pytest.raises(StorageError):
        collect(squares, 5, makers.payload_of, workers=workers)  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert all(squares.get(item) == makers.payload_of(item) for item in range(2))  # type: ignore[attr-defined]


def _refuse(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_every_write_rename_and_sync_may_fail_once(
    tmp_path: Path, makers: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail the n-th of them, n = 1, 2, ...; start again; the end equals an undisturbed run."""
    undisturbed = _content(_collected(tmp_path / "undisturbed", makers))
    for n in range(1, 1000):
        root = tmp_path / str(n)
        with monkeypatch.context() as patch:
            count = _fail_nth(patch, n)
            with contextlib.suppress(StorageError):
                _collected(root, makers)
            touched = count["calls"] >= n
        assert _content(_collected(root, makers)) == undisturbed, f"after failing call {n}"
        if not touched:
            assert n > 4 * 3, "the loop ended before it had failed every call of a run"
            return
    pytest.fail("no run passed untouched")


def _collected(root: Path, makers: object) -> Collection:
    collection = ArtifactCache(root).collection("squares", makers.CONFIG)  # type: ignore[attr-defined]
    report = collect(collection, 4, makers.payload_of)  # type: ignore[attr-defined]
    assert not report.failed
    return collection


def _content(collection: Collection) -> dict[str, bytes]:
    return {
        str(path.relative_to(collection.folder)): path.read_bytes()
        for path in collection.folder.rglob("*")
        if path.is_file() and path.parent.name != "claims"  # an empty lock file may stay; nobody holds it
    }


def _fail_nth(patch: pytest.MonkeyPatch, n: int) -> dict[str, int]:
    count = {"calls": 0}

    def failing(original):  # type: ignore[no-untyped-def]
        def call(*arguments: object, **options: object) -> object:
            count["calls"] += 1
            if count["calls"] == n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **options)

        return call

    for name in ("write", "replace", "fsync", "open", "mkdir", "unlink"):
        patch.setattr(os, name, failing(getattr(os, name)))
    return count
