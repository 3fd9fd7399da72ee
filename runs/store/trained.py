"""What a training leaves for others: weights, how the network is built, what it reached. One file that is no pickle."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from runs.errors import ConfigError
from runs.files import damaged_part, read_json, safe_yaml

if TYPE_CHECKING:
    from torch import nn

CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
CHECKPOINTS = "checkpoints"
_PARTS = ("weights", "validation", "model", "made_by")
_EARLIER = {"policy", "validation"}


@dataclass(frozen=True)
class Provenance:
    """Where a network comes from, as far as its record says; empty where it does not.

    Parameters
    ----------
    run
        Name of the run's folder.
    method, seed
        The row it fills in tables, and its seed.
    revision
        The git commit of the code that trained it.
    """

    run: str = ""
    method: str = ""
    seed: int = 0
    revision: str = ""

    @classmethod
    def of(cls, folder: Path, config: Mapping[str, Any]) -> Provenance:
        """Of the run in ``folder`` with this configuration."""
        about = read_json(folder / ENVIRONMENT)
        seed, revision = config.get("seed"), about.get("revision") if isinstance(about, dict) else None
        return cls(
            folder.name,
            str(config.get("method") or folder.name),
            seed if isinstance(seed, int) else 0,
            str(revision or ""),
        )


def file_of(name: str) -> Path:
    """Where a run folder has what was kept under ``name``."""
    return Path(CHECKPOINTS) / f"{name}.pt"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network without its code.

    Parameters
    ----------
    weights
        Its ``state_dict``; of the whole network that ``model`` describes or of one of its parts.
    validation
        What it reached, by metric.
    model
        Its configuration, plain and resolved; None where the file says nothing of it.
    made_by
        The run that trained it.
    """

    weights: Mapping[str, Any]
    validation: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, Any] | None = None
    made_by: Provenance = Provenance()

    def to_bytes(self) -> bytes:
        """As a file that torch reads with ``weights_only``."""
        import torch

        buffer = io.BytesIO()
        parts = (dict(self.weights), dict(self.validation), self.model, vars(self.made_by))
        torch.save(dict(zip(_PARTS, parts, strict=True)), buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, payload: bytes, source: str, what: str = "network") -> Trained:
        """Inverse of :meth:`to_bytes`; no pickle is ever opened.

        Files from before networks were stored with their configuration are read too.

        Raises
        ------
        ConfigError
            It is no such file; names ``source`` and ``what`` was expected.
        """
        content = load_tensors(io.BytesIO(payload), f"{source} is no checkpoint that can be read")
        if isinstance(content, dict) and content.keys() == _EARLIER:
            content = {"weights": content["policy"], "validation": content["validation"], "model": None, "made_by": {}}
        try:
            weights, validation, model, made_by = (content[name] for name in _PARTS)
            return cls(dict(**weights), {**validation}, None if model is None else {**model}, Provenance(**made_by))
        except (TypeError, KeyError) as error:
            raise ConfigError(f"{source} holds no {what}; give a run that trained one") from error


def load_tensors(file: BinaryIO | Path, complaint: str) -> Any:
    """What a file of torch holds, read with ``weights_only``.

    Raises
    ------
    ConfigError
        ``complaint`` and why it cannot be read.
    """
    import torch

    with contextlib.nullcontext(file) if not isinstance(file, Path) else file.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"  # there are older formats
        if is_zip and (part := damaged_part(stream)) is not None:
            raise ConfigError(f"{complaint}: it is damaged ({' '.join(part.split())[:200]})")
        stream.seek(0)
        try:
            return torch.load(stream, map_location="cpu", weights_only=True)
        except Exception as error:  # torch has no family of its own for damaged files
            raise ConfigError(f"{complaint}: {' '.join(str(error).split())[:200]}") from error


def fill(network: nn.Module, weights: Mapping[str, Any], source: str, what: str = "this network") -> None:
    """Load weights into a network.

    Raises
    ------
    ConfigError
        They are of another one: names ``source``, ``what`` they were loaded into, and what differs.
    """
    try:
        network.load_state_dict(dict(weights))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    except RuntimeError as error:
        raise ConfigError(f"{source} does not fit {what}: {' '.join(str(error).split())[:300]}") from error


def read_config(folder: Path, source: str) -> dict[str, Any]:
    """The resolved configuration in a run folder, as plain data.

    Raises
    ------
    ConfigError
        It is no YAML mapping.
    """
    import yaml

    path = folder / CONFIG
    try:
        config = safe_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{source}: {path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{source}: {path} holds no settings but a {type(config).__name__}")
    return config
