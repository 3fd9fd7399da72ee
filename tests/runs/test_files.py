"""Files are whole or absent, say where the disk refused, and have the rights that the umask gives."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runs.files import atomic_write
from runs.launch.command import explain


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_a_file_has_the_rights_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    program = f"import os; os.umask({umask}); from runs.files import atomic_write; atomic_write('a', b'')"
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path.cwd())}, check=True
    )
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space and give the same command again"), (errno.EROFS, "permission")],
)
def test_a_disk_that_refuses_is_told_with_path_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="config") as caught:
        atomic_write(tmp_path / "config.yaml", b"seed: 1")
    line = explain(caught.value) or ""
    assert line.startswith(f"{tmp_path / 'config.yaml'}: ") and remedy in line and "REPRISE_OUTPUTS" in line
    assert list(tmp_path.iterdir()) == []
