"""A folder of instances of one's own as training, validation and test set of a learned policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.ilp.expert.module import ExpertPrograms
from data.ilp.formats import files
from data.ilp.instances import IntegerPrograms
from runs.errors import ConfigError


def own_family(path: str, test_share: float, **settings: Any) -> ExpertPrograms:
    """Learn from the first files of a folder, in order of name, and search on the others.

    Parameters
    ----------
    path
        Folder of MPS or LP files.
    test_share
        In (0, 1): the share of the files, rounded up, that is kept for the search.
    **settings
        Those of :class:`data.ilp.expert.module.ExpertPrograms`, but for its two sets; ``validation_share`` is of the
        files that are learned from.

    Raises
    ------
    InvalidProblem
        The folder cannot be listed or holds no instance.
    ConfigError
        ``path`` is a single file, ``test_share`` is outside (0, 1), or too few files are left to learn from.
    """
    if not 0 < test_share < 1:
        raise ConfigError(f"data.test_share is {test_share}; it must lie between 0 and 1")
    folder = Path(path).expanduser()
    if folder.is_file():
        raise ConfigError(
            f"data.path is the file {folder}; a policy is learned from a folder of instances of one family"
        )
    count = len(files.instances(folder))
    test = min(count, -int(-test_share * count // 1))
    if count - test < 2:
        raise ConfigError(
            f"data.path: the folder {folder} holds {count} instances, of which data.test_share {test_share} leaves "
            f"{count - test} to learn from; at least 2 are needed, one of them for validation"
        )
    train = IntegerPrograms(path=path, count=count - test, name="files_train")
    return ExpertPrograms(train, IntegerPrograms(path=path, first=count - test), **settings)
