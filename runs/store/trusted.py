"""What a configuration that came with a checkpoint may build: such a file is a program, and its author is not the user.

A record may name classes of :data:`OWN` packages and nothing else. Hydra's own list of forbidden names is not enough, since
a ``_target_`` reaches any attribute of any module, ``models.ilp.policy.torch.hub.load`` too. Functions are refused even
where they are ours: a function acts (writes a file, starts a process, looks up a name), a class becomes an object. The user,
never the checkpoint, adds packages by :data:`VARIABLE`.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from runs.errors import ConfigError, MissingDependency, installing

OWN = ("data", "models", "torch.nn")
"""Nothing of ``solvers``, ``tasks`` and ``runs``, which start processes and write files: no network is made of them."""
VARIABLE = "REPRISE_TRUSTED"
"""Environment variable with the user's own packages, between commas; their functions may be named as well."""
LIBRARIES = frozenset({
    "torch", "torchmetrics", "pytorch_lightning", "lightning_utilities", "hydra", "omegaconf", "yaml", "antlr4",
    "numpy", "scipy", "pandas", "pyarrow", "sklearn", "joblib", "dill", "cloudpickle", "PIL", "matplotlib",
    "rich", "jinja2", "filelock", "fsspec", "pooch", "requests", "psutil", "pip", "setuptools", "submitit",
    "ray", "wandb", "tensorboard", "trackio", "optuna", "sqlalchemy", "pyscipopt", "ortools", "highspy",
    "solvers", "tasks", "runs",
})  # fmt: skip
"""What Reprise stands on and the rest of it: they load pickles, write files and start processes."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def build_trusted(node: Mapping[str, Any], name: str, source: str) -> Any:
    """Build the object that node ``name`` of a record describes, once all of it has been checked.

    Parameters
    ----------
    node
        Plain and resolved.
    name
        Its key, for messages.
    source
        The file it stands in, for messages.

    Raises
    ------
    ConfigError
        A target may not be built or does not exist, there is an interpolation, or a constructor refused: names ``source``
        and the key.
    """
    from omegaconf import OmegaConf

    from runs.build import build

    check(node, name, source)
    try:
        return build(OmegaConf.create({name: dict(node)}), name)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def check(node: Any, name: str, source: str) -> None:
    """Refuse a node of a record unless each target in it, however deep, may be built.

    Nothing is imported before the names of all of them are allowed.

    Raises
    ------
    ConfigError
        As for :func:`build_trusted`.
    """
    targets = {}
    for key, value in _leaves(node, name):
        if key.endswith("._target_"):
            targets[key] = _package_that_may(value, f"{source}: {key}"), value
        elif isinstance(value, str) and "${" in value:
            raise ConfigError(
                f"{source}: {key} is '{value}'; a record is resolved, so that nothing is looked up when it is opened"
            )
    for key, (package, target) in targets.items():
        _check_found(target, package, f"{source}: {key}")


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every key below ``key`` with its value, in mappings and lists; a ``_target_`` is one whatever it holds."""
    if isinstance(value, Mapping):
        for inner, item in value.items():
            if isinstance(inner, str) and "${" in inner:
                yield f"{key}.{inner}", inner
            if inner == "_target_":
                yield f"{key}._target_", item
            else:
                yield from _leaves(item, f"{key}.{inner}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{key}[{index}]")
    else:
        yield key, value


def trusted_packages() -> tuple[str, ...]:
    """The packages that the user has named."""
    return tuple(filter(None, (text.strip() for text in os.environ.get(VARIABLE, "").split(","))))


def _package_that_may(target: Any, place: str) -> str:
    """The trusted package that a target names."""
    if not isinstance(target, str) or not _NAME.fullmatch(target):
        raise ConfigError(f"{place} is {target!r}; expected the dotted name of a class")
    package = _package_of(target, (*OWN, *trusted_packages()))
    if package is None:
        raise ConfigError(
            f"{place} is {target}, which a record may not build: it may name classes of {', '.join(OWN)}. "
            + _remedy(target.split(".")[0])
        )
    return package


def _check_found(target: str, package: str, place: str) -> None:
    """Refuse what is no class of the package that its name begins with."""
    found = _found(target, place)
    home = getattr(found, "__module__", None)
    if not isinstance(home, str) or _package_of(f"{home}.", (package,)) is None:
        raise ConfigError(
            f"{place} is {target}, which is nothing of {package} but borrowed there; name the class itself"
        )
    if package in OWN and not isinstance(found, type):
        raise ConfigError(f"{place} is {target}, which is no class; a record may build objects, not call functions")


def _remedy(package: str) -> str:
    """Trust is offered for what may be a user's own; nobody's network is made of these others."""
    if package in sys.stdlib_module_names or package in LIBRARIES:
        return "No network asks for this: do not trust the file"
    return f"If you know and trust this package, run the command again with {VARIABLE}={package}"


def _found(target: str, place: str) -> Any:
    """The attribute of a module that ``target`` names; only modules of its own package are imported."""
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        absent = getattr(error, "name", None)
        if isinstance(error, ImportError) and absent and not f"{module}.".startswith(f"{absent}."):
            raise MissingDependency(f"{place}: {error}; {installing('dev')}") from error
        raise ConfigError(
            f"{place} is {target}, which is not here ({error}); use the revision of the code that trained it, which the "
            "run's environment.json names"
        ) from error


def _package_of(name: str, packages: tuple[str, ...]) -> str | None:
    return next((package for package in packages if name.startswith(f"{package}.")), None)
