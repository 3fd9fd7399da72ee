"""The one launcher: compose, seed, build, fit, test, record."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runs.launch import command

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runs.record.run_record import RunRecord


def job(cfg: DictConfig) -> float | None:
    """One run of the composed configuration; returns the score a sweeper may optimise."""
    from runs.record.run_record import RunRecord

    with RunRecord.of(cfg) as record:
        if not record.ended:
            work(cfg, record)
    return record.score


def work(cfg: DictConfig, record: RunRecord) -> None:
    """What a run does between its begin and its end."""
    from runs.environment import limit_threads

    limit_threads(cfg.hardware.threads)

    from pytorch_lightning import seed_everything

    from runs.build import build
    from runs.launch.hardware import build_trainer

    seed_everything(cfg.seed, workers=True, verbose=False)
    with record.open_log() as log:
        data = build(cfg, "data")
        task = build(cfg, "task", chosen=("model", "solver"))
        trainer = build_trainer(cfg, record.folder, log)
        if any(parameter.requires_grad for parameter in task.parameters()):
            trainer.fit(task, datamodule=data, ckpt_path=record.last_checkpoint, weights_only=True)
        record.finish(trainer.test(task, datamodule=data, verbose=False), log)


def main() -> None:
    """Entry point of ``python launch.py`` and of the console command ``reprise``."""
    sys.exit(command.main(job))


if __name__ == "__main__":
    main()
