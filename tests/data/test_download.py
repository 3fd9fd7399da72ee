"""Data files that are there, are fetched, or cannot be."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data.download import DataFile
from runs.errors import ConfigError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server on loopback, and the folder it serves."""
    folder = tmp_path / "public"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_there_is_taken_without_a_look_at_its_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    file = DataFile(str(tmp_path / "a.txt"), "http://127.0.0.1:9/a.txt", "0" * 64)
    assert file.find() == tmp_path / "a.txt"


def test_a_missing_file_is_fetched_once(tmp_path: Path, source: tuple[str, Path]) -> None:
    url, public = source
    (public / "b.txt").write_text("far away")
    file = DataFile(str(tmp_path / "data" / "b.txt"), f"{url}/b.txt", sha256(public / "b.txt"))
    assert file.find().read_text() == "far away"
    (public / "b.txt").unlink()
    assert file.find().read_text() == "far away"


def test_a_member_of_an_archive_is_unpacked(tmp_path: Path, source: tuple[str, Path]) -> None:
    url, public = source
    with zipfile.ZipFile(public / "c.zip", "w") as archive:
        archive.writestr("folder/c.txt", "packed")
    made = partial(DataFile, url=f"{url}/c.zip", sha256=sha256(public / "c.zip"))
    assert made(str(tmp_path / "data" / "c.txt"), member="folder/c.txt").find().read_text() == "packed"
    with pytest.raises(ConfigError, match=r"d\.txt is missing and could not be fetched"):
        made(str(tmp_path / "data" / "d.txt"), member="folder/d.txt").find()


def test_what_does_not_match_its_checksum_is_not_kept(tmp_path: Path, source: tuple[str, Path]) -> None:
    url, public = source
    (public / "e.txt").write_text("something else")
    path = tmp_path / "data" / "e.txt"
    with pytest.raises(ConfigError, match="could not be fetched") as error:
        DataFile(str(path), f"{url}/e.txt", "0" * 64).find()
    assert not path.exists()
    for named in (str(path), f"{url}/e.txt", str(path.parent), "REPRISE_DATA"):
        assert named in str(error.value)


def test_a_source_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"could not be fetched from http://127\.0\.0\.1:9/f"):
        DataFile(str(tmp_path / "f"), "http://127.0.0.1:9/f", "0" * 64).find()


def test_a_source_needs_a_checksum(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sha256"):
        DataFile(str(tmp_path / "g"), "http://127.0.0.1:9/g")
