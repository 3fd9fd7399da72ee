"""A training has a whole checkpoint to go on from, whatever ends it and wherever temporary files lie."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from runs.errors import SolverFailure
from runs.record.callbacks import KeepLast
from runs.record.training_checkpoint import BEFORE, LAST, recovered_last

STEPS = 6


class Line(lightning.LightningModule):
    """A weight that grows by one in each step, and is poisoned in one of them."""

    def __init__(self, poisoned: int | None = None) -> None:
        super().__init__()
        self.poisoned = poisoned
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        if self.global_step == self.poisoned:
            with torch.no_grad():
                self.weight[1] = torch.nan
        return -self.weight.nansum()

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(torch.zeros(STEPS, 1)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def train(folder: Path, task: Line, **options: Any) -> None:
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        default_root_dir=folder,
        callbacks=[KeepLast(0)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    path = recovered_last(folder)
    trainer.fit(task, ckpt_path=path, weights_only=True)


def weight(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["state_dict"]["weight"][0])


def test_a_disk_that_fails_at_any_moment_leaves_a_whole_checkpoint_and_the_training_ends_as_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in itertools.count():
        folder, count = tmp_path / str(n), itertools.count()
        with monkeypatch.context() as patch:
            for name in ("write", "replace", "fsync", "rename"):
                real = getattr(os, name)

                def refusing(*arguments: Any, real: Any = real, n: int = n, count: Any = count, **options: Any) -> Any:
                    if next(count) == n:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return real(*arguments, **options)

                patch.setattr(os, name, refusing)
            try:
                train(folder, Line())
                failed = False
            except OSError:
                failed = True
        if next(count) <= n:
            break
        left = recovered_last(folder)
        assert not failed or n < 3 or left is not None  # the first of all may be missing
        train(folder, Line())
        assert weight(folder / LAST) == STEPS
        assert not list(folder.rglob("*.part"))
    assert n > STEPS


def test_nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "another file system"))  # there is no such folder
    train(tmp_path / "run", Line())
    assert weight(tmp_path / "run" / LAST) == STEPS


def test_the_checkpoint_before_is_there_until_the_training_ends(tmp_path: Path) -> None:
    class Look(Line):
        def on_train_epoch_end(self) -> None:
            assert (weight(tmp_path / BEFORE), weight(tmp_path / LAST)) == (STEPS - 1, STEPS)

    train(tmp_path, Look())
    assert not (tmp_path / BEFORE).exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_file_that_is_not_whole_is_set_aside_and_the_one_before_is_taken(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    train(tmp_path, Line())
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / BEFORE).write_bytes(content)
    middle = len(content) // 3
    flipped = content[:middle] + bytes(255 - byte for byte in content[middle : middle + 200]) + content[middle + 200 :]
    (tmp_path / LAST).write_bytes({"cut": content[:middle], "flip": flipped, "empty": b""}[damage])
    assert recovered_last(tmp_path) == tmp_path / LAST
    assert (tmp_path / LAST).read_bytes() == content
    assert "last.ckpt is not whole" in caplog.text
    (tmp_path / LAST).write_bytes(content[:100])
    assert recovered_last(tmp_path) is None


def test_weights_that_are_not_finite_are_never_the_last(tmp_path: Path) -> None:
    with pytest.raises(SolverFailure, match="after 4 steps the weights weight are not finite"):
        train(tmp_path, Line(poisoned=3))
    assert weight(tmp_path / LAST) == 3
    train(tmp_path, Line())
    assert weight(tmp_path / LAST) == STEPS
