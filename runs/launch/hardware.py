"""The trainer for the chosen hardware, or one clear line why this machine cannot do it."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from runs.environment import is_distributed, slurm_starts_ranks
from runs.errors import ConfigError
from runs.loggers.log import RunLog


def build_trainer(cfg: DictConfig, folder: Path, log: RunLog) -> Any:
    """The Lightning trainer of a run: ``cfg.trainer`` on ``cfg.hardware``, with ``cfg.callbacks``.

    Tests keep their own sampler (no instance twice under DDP), and progress is drawn on a terminal only.

    Raises
    ------
    ConfigError
        The hardware is not there, or not in this number.
    """
    import pytorch_lightning as lightning
    from hydra.utils import instantiate

    from runs.loggers.trainer import TrainerLogger
    from runs.record.callbacks import HeedStop

    hardware: dict[str, Any] = OmegaConf.to_container(cfg.hardware, resolve=True)  # type: ignore[assignment]
    check(hardware)
    callbacks = [instantiate(node, _convert_="all") for node in (cfg.callbacks or {}).values() if node is not None]
    callbacks.append(HeedStop())
    if sys.stderr.isatty() and sys.stdout.isatty():
        callbacks.append(lightning.callbacks.RichProgressBar())
    _hush()
    return lightning.Trainer(
        **{key: hardware[key] for key in ("accelerator", "devices", "num_nodes", "precision")},
        strategy=_strategy(hardware["strategy"]),
        **OmegaConf.to_container(cfg.trainer, resolve=True),  # type: ignore[arg-type]
        logger=TrainerLogger(log),
        callbacks=callbacks,
        default_root_dir=folder,
        use_distributed_sampler=False,
        enable_progress_bar=any(isinstance(c, lightning.callbacks.RichProgressBar) for c in callbacks),
        enable_checkpointing=any(isinstance(c, lightning.callbacks.ModelCheckpoint) for c in callbacks),
        enable_model_summary=False,
        plugins=_plugins(hardware),
    )


def _strategy(name: str) -> Any:
    """Lightning's strategy of this name; under DDP ranks that compute the same buffers, such as queues, do not send them."""
    from pytorch_lightning.strategies import DDPStrategy

    starts = {"ddp": "popen", "ddp_fork": "fork"}
    return DDPStrategy(broadcast_buffers=False, start_method=starts[name]) if name in starts else name  # type: ignore[arg-type]


def _hush() -> None:
    """Lightning's advertisements and the warnings that concern its own code."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for text in (".*srun.*available on your system", ".*isinstance.treespec.*", ".*does not have many workers"):
        warnings.filterwarnings("ignore", text)


def check(hardware: dict[str, Any]) -> None:
    """Compare what is asked for with what this machine has.

    Raises
    ------
    ConfigError
        GPUs are asked for and there are none, or too few.
    """
    if hardware["accelerator"] not in ("gpu", "cuda"):
        return
    import torch

    available = torch.cuda.device_count()
    wanted = hardware["devices"]
    if available == 0:
        raise ConfigError(
            "hardware: this machine has no usable CUDA GPU (torch sees none); use hardware=cpu, or install the CUDA build "
            "of torch where there is a GPU"
        )
    if isinstance(wanted, int) and wanted > available:
        raise ConfigError(f"hardware.devices is {wanted}, but this machine has {available} GPUs; lower it or add nodes")


def _plugins(hardware: dict[str, Any]) -> list[Any]:
    """Who starts the ranks. Lightning takes every task of SLURM for one, also those that are runs of their own."""
    from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

    if slurm_starts_ranks(hardware):
        return [SLURMEnvironment(auto_requeue=False)]  # submitit requeues; a second requeuer would start it twice
    if not is_distributed(hardware):
        return [LightningEnvironment()]
    return [LightningEnvironment()] if SLURMEnvironment.detect() and "TORCHELASTIC_RUN_ID" not in os.environ else []
