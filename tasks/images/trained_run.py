"""The network of a finished or killed run, from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from runs.build import build
from runs.errors import ConfigError

CONFIG = "config.yaml"
LAST = Path("checkpoints") / "last.ckpt"


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run that trained a network.

    Its configuration names the classes to build, so open only runs that you trust; weights are opened without pickle.

    Parameters
    ----------
    folder
        With ``config.yaml``.
    weights
        A checkpoint of Lightning in it.
    config
        The resolved configuration.
    """

    folder: Path
    weights: Path
    config: DictConfig

    @classmethod
    def at(cls, checkpoint: str | None) -> TrainedRun:
        """The run of a folder, with its last checkpoint, or of a checkpoint file somewhere in such a folder.

        Raises
        ------
        ConfigError
            There is no such folder or file, or no configuration that can be read: names it.
        """
        if checkpoint is None:
            raise ConfigError("checkpoint is null; give checkpoint=RUN_FOLDER, or a .ckpt file in a run folder")
        path = Path(checkpoint).expanduser().absolute()
        if not path.exists():
            raise ConfigError(f"checkpoint: {path} does not exist; give the folder of a run, or a .ckpt file in one")
        weights = path / LAST if path.is_dir() else path
        folder = next((each for each in (path, *path.parents) if (each / CONFIG).is_file()), None)
        if folder is None or (path.is_dir() and folder != path):
            raise ConfigError(f"checkpoint: {path} has no {CONFIG}; give the folder of a run")
        if not weights.is_file():
            raise ConfigError(f"checkpoint: {weights} does not exist: this run has trained nothing; give one that did")
        try:
            config = OmegaConf.load(folder / CONFIG)
        except Exception as error:  # OmegaConf passes on whatever its parser raises
            raise ConfigError(
                f"checkpoint: {folder / CONFIG} cannot be read: {' '.join(str(error).split())[:200]}"
            ) from error
        if not isinstance(config, DictConfig) or config.get("model") is None:
            raise ConfigError(f"checkpoint: {folder / CONFIG} describes no model; give a run that trained a network")
        return cls(folder, weights, config)

    @property
    def method(self) -> str:
        """The row that the run fills in tables."""
        return str(self.config.get("method") or self.folder.name)

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else 0

    def data(self) -> Any:
        """The data module it was trained on.

        Raises
        ------
        ConfigError
            The configuration has none.
        """
        data = build(self.config, "data")
        if data is None:
            raise ConfigError(f"checkpoint: {self.folder / CONFIG} describes no data; choose some with data=images/...")
        return data

    def model(self) -> nn.Module:
        """The network with its trained weights, frozen and in evaluation mode.

        Raises
        ------
        ConfigError
            The checkpoint cannot be read without pickle, or is of another network.
        """
        model = build(self.config, "model")
        if not isinstance(model, nn.Module):
            raise ConfigError(
                f"checkpoint: the model of {self.folder / CONFIG} is a {type(model).__name__}, no network"
            )
        try:
            model.load_state_dict(_of(model, self._state()))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(f"checkpoint: {self.weights} does not fit the model of {CONFIG}: {reason}") from error
        return model.requires_grad_(False).eval()

    def _state(self) -> dict[str, Tensor]:
        try:
            content = torch.load(self.weights, map_location="cpu", weights_only=True)
        except Exception as error:  # torch has no family of its own for damaged files
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"checkpoint: {self.weights} cannot be read: {reason}") from error
        state = content.get("state_dict") if isinstance(content, dict) else None
        if not isinstance(state, dict):
            raise ConfigError(f"checkpoint: {self.weights} has no state_dict; give a checkpoint that Lightning wrote")
        return state


def _of(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a task's state that is the network's, whatever name the task has for it."""
    wanted = list(model.state_dict())
    for key in state:
        prefix = key.removesuffix(wanted[0]) if wanted and key.endswith(wanted[0]) else None
        if prefix is not None and all(f"{prefix}{name}" in state for name in wanted):
            return {name: state[f"{prefix}{name}"] for name in wanted}
    return {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}
