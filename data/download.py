"""Data files that are fetched once from their public source if they are not there."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from runs.errors import ConfigError


@dataclass(frozen=True)
class DataFile:
    """A file below ``paths.data`` and where the world keeps it.

    Parameters
    ----------
    path
        Where the file is, or is put.
    url
        Its public source; None if it cannot be fetched.
    sha256
        Checksum of what ``url`` gives.
    member
        The file's name inside ``url``, where that is a ZIP archive; the archive is kept beside the file.
    """

    path: str
    url: str | None = None
    sha256: str | None = None
    member: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and self.sha256 is None:
            raise ConfigError(f"sha256 of {self.path} is null; what is fetched from {self.url} needs a checksum")

    def find(self) -> Path:
        """The path of the file, fetched if it is missing; processes that want it at once fetch it once.

        Raises
        ------
        ConfigError
            The file is missing and cannot be fetched: names file, source and folder.
        """
        path = Path(self.path).expanduser()
        if path.is_file():
            return path
        if self.url is None:
            raise ConfigError(f"{path} is missing; {_by_hand(path)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.parent / ".download.lock"):
                if not path.is_file():
                    self._fetch(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"{path} is missing and could not be fetched from {self.url} ({error}); {_by_hand(path)}"
            ) from error
        return path

    def _fetch(self, path: Path) -> None:
        import pooch

        assert self.url is not None
        name = path.name if self.member is None else self.url.rsplit("/", 1)[-1]
        fetched = pooch.retrieve(self.url, f"sha256:{self.sha256}", fname=name, path=path.parent)
        if self.member is None:
            return
        with zipfile.ZipFile(fetched) as archive, archive.open(self.member) as member:
            partial = path.with_name(f"{path.name}.part")
            with partial.open("wb") as file:
                shutil.copyfileobj(member, file)
            partial.replace(path)


def _by_hand(path: Path) -> str:
    return f"put it into the folder {path.parent}, or let the environment variable REPRISE_DATA name the folder of the data"
