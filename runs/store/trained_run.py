"""The one way to open what was trained: from a run, a row of a sweep or an artifact to the network with its weights."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.errors import ConfigError
from runs.files import read_json
from runs.record.sweep_folder import run_folders
from runs.record.training_checkpoint import LAST
from runs.store.cache import ArtifactCache
from runs.store.sweep_row import run_of_row
from runs.store.trained import CHECKPOINTS, CONFIG, Provenance, Trained, file_of, fill, load_tensors, read_config
from runs.store.trusted import build_trusted

if TYPE_CHECKING:
    from torch import nn

    from runs.store.foreign import Converter


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A network that a run has trained.

    Weights are opened without pickle, and of the configuration beside them only what :mod:`runs.store.trusted` allows is
    built.

    Parameters
    ----------
    source
        The file or the key, for messages.
    config
        Plain: the resolved configuration of the run, or the settings of the artifact; empty where there is neither.
    provenance
        Where it comes from.
    kept
        What the training kept for others; None: ``weights`` is a checkpoint of Lightning.
    weights
        The file; None for an artifact.
    what
        What is expected to be in it, for messages.
    """

    source: str
    config: Mapping[str, Any]
    provenance: Provenance
    kept: Trained | None
    weights: Path | None = None
    what: str = "network"

    @classmethod
    def at(cls, checkpoint: Any, name: str | None = None, task: str = "") -> TrainedRun:
        """Find it.

        Parameters
        ----------
        checkpoint
            The folder of a run: the network that it kept, or else its last checkpoint. A ``.ckpt`` or ``.pt`` file. The
            folder of a sweep, if one run in it has trained. Or a mapping: ``{sweep, method, seed}`` chooses the run of a
            sweep, ``{key, cache}`` an artifact of a cache.
        name
            The training kept the network under this name (``checkpoints/<name>.pt``); None: under any.
        task
            What trains such a network, for messages.

        Raises
        ------
        ConfigError
            There is no such folder, file, run or artifact, or it cannot be read: names it.
        """
        if checkpoint is None:
            raise ConfigError("checkpoint is null; give checkpoint=RUN_FOLDER, or a .ckpt file in a run folder")
        wanted = _Wanted(name, task)
        if not isinstance(checkpoint, Mapping):
            return cls._of_path(Path(checkpoint), wanted)
        choice: dict[str, Any] = {str(key): value for key, value in checkpoint.items()}
        if choice.get("key") is not None and choice.keys() <= {"key", "cache"}:
            return cls._of_artifact(str(choice["key"]), choice.get("cache"), wanted)
        if choice.get("sweep") is not None and choice.keys() <= {"sweep", "method", "seed"}:
            return cls._of_path(run_of_row(Path(choice.pop("sweep")), **choice), wanted)
        raise ConfigError(
            f"checkpoint is {choice}; give a path, {{sweep: FOLDER, method: ROW, seed: 0}} or {{key: KEY, cache: FOLDER}}"
        )

    @classmethod
    def _of_path(cls, path: Path, wanted: _Wanted) -> TrainedRun:
        path = path.expanduser().absolute()
        if path.is_dir() and not (path / CONFIG).is_file() and any(run_folders(path)):
            path = run_of_row(path)
        weights = wanted.weights_in(path) if path.is_dir() else path
        if not weights.is_file():
            raise ConfigError(f"checkpoint: {weights} {wanted.remedy(path)}")
        source = f"checkpoint: {weights}"
        folder = next((each for each in (path, *path.parents) if (each / CONFIG).is_file()), None)
        config = {} if folder is None else read_config(folder, "checkpoint")
        if weights.suffix == ".pt":
            kept = Trained.from_bytes(weights.read_bytes(), source, wanted.what)
            made_by = kept.made_by if folder is None else Provenance.of(folder, config)
            return cls(source, config, made_by, kept, weights, wanted.what)
        if folder is None:
            raise ConfigError(f"checkpoint: {path} has no {CONFIG}; give the folder of a run")
        if config.get("model") is None:
            raise ConfigError(f"checkpoint: {folder / CONFIG} describes no model; give a run that trained a network")
        return cls(source, config, Provenance.of(folder, config), None, weights)

    @classmethod
    def _of_artifact(cls, key: str, cache: str | Path | None, wanted: _Wanted) -> TrainedRun:
        if cache is None:
            raise ConfigError("checkpoint.cache is null; set it to paths.cache")
        root = Path(cache).expanduser()
        for folder in root.glob(f"{wanted.name or '*'}/{glob.escape(key)}"):
            name = folder.parent.name
            payload = ArtifactCache(root).collection_of(name, key).get(name)
            if payload is not None:
                kept = Trained.from_bytes(payload, f"artifact {key}", wanted.what)
                settings = read_json(folder / "config.json")
                config = settings if isinstance(settings, dict) else {}
                return cls(f"artifact {key}", config, kept.made_by, kept, what=wanted.what)
        raise ConfigError(
            f"checkpoint.key: {cache} holds no whole {wanted.name or 'network'} {key}; train it, or give a run"
        )

    def trained(self) -> Trained:
        """The weights and what is known of them.

        Raises
        ------
        ConfigError
            The checkpoint cannot be read without pickle, or holds no weights.
        """
        if self.kept is not None:
            return self.kept
        assert self.weights is not None
        content = load_tensors(self.weights, f"{self.source} cannot be read")
        state = content.get("state_dict") if isinstance(content, dict) else None
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise ConfigError(f"{self.source} has no state_dict; give a checkpoint that Lightning wrote")
        return Trained(state, made_by=self.provenance)

    def model(self, converters: Sequence[Converter] = ()) -> nn.Module:
        """The network with its trained weights, frozen and in evaluation mode.

        It is the ``model`` of the configuration that was stored with the weights, or else of the run's, or the part of it
        that the weights belong to.

        Parameters
        ----------
        converters
            For files that say nothing of their network.

        Raises
        ------
        ConfigError
            The checkpoint cannot be read without pickle, is of another network, or its configuration may not be built.
        """
        trained = self.trained()
        node, described = trained.model, self.source
        if node is None:
            node, described = self.config.get("model"), f"{self.source}, {CONFIG}"
        if isinstance(node, Mapping):
            return self._loaded(build_trusted(node, "model", described), trained.weights)
        for converter in converters:
            if converter.recognises(trained.weights):
                return converter.converted(trained.weights, self.source)
        raise ConfigError(
            f"{self.source} holds no {self.what} that says how it is built; give the folder of the run that trained it"
        )

    def _loaded(self, network: Any, state: Mapping[str, Any]) -> nn.Module:
        from torch import nn

        if not isinstance(network, nn.Module):
            raise ConfigError(f"{self.source}: the model of {CONFIG} is a {type(network).__name__}, no network")
        module, weights = _matched(network, state)
        fill(module, weights, self.source, f"the model of {CONFIG}" if self.kept is None else "its model")
        return module.requires_grad_(False).eval()

    def data(self) -> Any:
        """The data module that the run was trained on; files that are missing are not fetched.

        Raises
        ------
        ConfigError
            The configuration has none, or it may not be built.
        """
        node = self.config.get("data")
        if not isinstance(node, Mapping):
            raise ConfigError(f"{self.source}: {CONFIG} describes no data; choose some with data=images/...")
        return build_trusted(_unfetched(node), "data", f"{self.source}, {CONFIG}")


@dataclass(frozen=True)
class _Wanted:
    """What a caller expects to find."""

    name: str | None
    task: str

    @property
    def what(self) -> str:
        return f"{self.name or 'network'} of {self.task}" if self.task else self.name or "network"

    def weights_in(self, folder: Path) -> Path:
        if self.name is not None:
            return folder / file_of(self.name)
        if not (folder / CONFIG).is_file():
            raise ConfigError(f"checkpoint: {folder} has no {CONFIG}; give the folder of a run")
        kept = sorted((folder / CHECKPOINTS).glob("*.pt"))
        if len(kept) > 1:
            names = ", ".join(path.name for path in kept)
            raise ConfigError(f"checkpoint: {folder} has kept several networks; give one of the files {names} in it")
        return kept[0] if kept else folder / LAST

    def remedy(self, path: Path) -> str:
        if self.name is not None:
            return (
                f"cannot be read (there is no such file); give the folder of a finished run of {self.task or self.name}"
            )
        if path.is_dir():
            return "does not exist: this run has trained nothing; give one that did"
        return "does not exist; give the folder of a run, or a .ckpt file in one"


def _matched(network: nn.Module, state: Mapping[str, Any]) -> tuple[nn.Module, Mapping[str, Any]]:
    """The network and its own part of a task's state, whatever name the task has for it; or the part whose state it is."""
    wanted = list(network.state_dict())
    for key in state:
        prefix = key.removesuffix(wanted[0]) if wanted and key.endswith(wanted[0]) else None
        if prefix is not None and all(f"{prefix}{name}" in state for name in wanted):
            return network, {name: state[f"{prefix}{name}"] for name in wanted}
    for part in network.modules():
        if part.state_dict().keys() == state.keys():
            return part, state
    return network, {
        key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")
    } or state


def _unfetched(node: Any) -> Any:
    """The node without addresses: opening a record reads files and never brings any."""
    if isinstance(node, Mapping):
        return {key: None if key == "url" else _unfetched(value) for key, value in node.items()}
    return [_unfetched(value) for value in node] if isinstance(node, (list, tuple)) else node
