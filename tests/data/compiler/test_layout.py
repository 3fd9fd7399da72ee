"""How the service is laid out, with a wheel that has its files and nothing in them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from data.compiler.compiler_gym import layout
from data.compiler.compiler_gym.layout import Layout, default_folder, lay_out, main
from runs.errors import MissingDependency


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "compiler_gym.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in layout._TAKEN:
            archive.writestr(layout._PURELIB + name, name)
        archive.writestr(layout._LICENCE, "MIT")
    monkeypatch.setattr(layout, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    return path


def test_a_wheel_is_laid_out_whole_and_once(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "compiler_gym"
    laid_out = lay_out(folder, wheel)
    assert laid_out == Layout(folder) == laid_out.check()
    assert os.access(laid_out.program, os.X_OK)
    assert (folder / "LICENSE").read_text() == "MIT"
    wheel.unlink()
    assert lay_out(folder, wheel) == laid_out  # nothing is left to do
    assert [path.name for path in folder.parent.iterdir()] == ["compiler_gym"]


def test_the_stand_ins_leave_an_empty_file_and_a_table_of_sizes(wheel: Path, tmp_path: Path) -> None:
    programs = lay_out(tmp_path / "there", wheel).site / "llvm-v0/bin"
    subprocess.run([programs / "clang", "-c", "-o", tmp_path / "x.o", "-"], input=b"text", check=True)
    assert (tmp_path / "x.o").read_bytes() == b""
    assert (
        subprocess.run([programs / "llvm-size"], capture_output=True, check=True)
        .stdout.splitlines()[1]
        .startswith(b"1")
    )


def test_another_wheel_is_refused_and_leaves_nothing(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(layout, "SHA256", "0")
    assert main([str(tmp_path / "there"), "--wheel", str(wheel)]) == 1
    assert "is damaged: its sha256 is" in capsys.readouterr().err
    assert not (tmp_path / "there").exists()
    with pytest.raises(MissingDependency, match=r"there is no file .*absent"):
        lay_out(tmp_path / "there", tmp_path / "absent")


def test_what_is_missing_is_named(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_LIBRARY", "libnowhere.so.5")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(MissingDependency, match=r"asks for libnowhere.so.5: install it, or a C compiler"):
        lay_out(tmp_path / "there", wheel)
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(MissingDependency, match=r"pip could not download .* by hand, and give it as --wheel FILE"):
        lay_out(tmp_path / "there")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(MissingDependency, match=r"runs on Linux on x86-64 only, .*take compiler=llvmlite"):
        lay_out(tmp_path / "there", wheel)


def test_the_default_folder_is_below_the_cache_or_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPRISE_COMPILER_GYM", raising=False)
    monkeypatch.setenv("REPRISE_CACHE", "/c")
    assert default_folder() == Path("/c/compiler_gym")
    monkeypatch.setenv("REPRISE_COMPILER_GYM", "/g")
    assert default_folder() == Path("/g")
