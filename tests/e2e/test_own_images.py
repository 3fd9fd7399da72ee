"""Folders of images as strangers have them, through the launcher: said, refused or recorded, never lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Launcher

SIMCLR = (
    "experiment=ssl/simclr_small",
    "data=images/folder_small",
    "data.size=16",
    "data.source.clean_side=16",
    "data.batch_size=8",
    "data.workers=0",
    "model.encoder.widths=[8,8,16]",
    "model.projector.hidden=16",
    "model.projector.out=16",
    "trainer.max_epochs=1",
    "task.protocols.protocols.knn.k=5",
)


def pictures(folder: Path, count: int, alike: bool = False, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            values = np.full((20, 20, 3), 99) if alike else rng.integers(0, 256, (20, 20, 3))
            Image.fromarray(values.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def folder(path: Path) -> str:
    return f"data.source.folder={path}"


def test_images_that_are_all_alike_end_in_a_record_an_alarm_and_a_figure_that_is_left_out_by_name(
    launch: Launcher, tmp_path: Path
) -> None:
    run = launch(*SIMCLR, folder(pictures(tmp_path / "alike", 20, alike=True)))
    assert run.returncode == 0, run.stdout + run.stderr
    (metrics,) = launch.metrics().values()
    assert metrics["collapse_alarm"] == 1 and metrics["spread_h"] < 1e-3 and "knn" in metrics
    (record,) = launch.folders()
    said = (record / "warning.txt").read_text()
    assert "all clean images have the same h" in said
    assert "\nfigure spectra is left out: features h" in f"\n{said}"
    assert "figure spectra is left out" in (record / "report.html").read_text()
    assert not (record / "figures" / "spectra.png").exists() and (record / "figures" / "neighbours.png").exists()


def test_classes_of_any_name_end_in_a_record_and_the_folder_is_shown_first(launch: Launcher, tmp_path: Path) -> None:
    names = (os.fsdecode(b"caf\xe9"), "price$1^$")
    run = launch(*SIMCLR, folder(pictures(tmp_path / "named", 20, classes=names)))
    assert run.returncode == 0, run.stdout + run.stderr
    (record,) = launch.folders()
    assert not (record / "warning.txt").exists() and (record / "figures" / "neighbours.png").exists()
    log = (record / "log.log").read_text()
    assert "40 images (named) of 2 classes: caf\\udce9 20, price$1^$ 20" in log
    assert log.index("2 classes") < log.index("pixels: RGB 40")


@pytest.mark.parametrize(
    ("count", "settings", "message"),
    [
        (10, ["task.protocols.protocols.knn.k=20"], "task.protocols.protocols.knn.k is 20, and there are 16 training"),
        (10, ["data.validation_fraction=0"], "data.validation_fraction is 0, and validation images are wanted"),
        (10, ["data.source.labels=yes_please"], "data.source.labels"),
    ],
)
def test_what_can_be_known_is_refused_before_anything_is_trained(
    launch: Launcher, tmp_path: Path, count: int, settings: list[str], message: str
) -> None:
    run = launch(*SIMCLR, folder(pictures(tmp_path / "few", count)), *settings)
    assert run.returncode != 0 and message in run.stdout + run.stderr
    assert not list(launch.outputs.rglob("last.ckpt"))


def test_a_broken_test_image_is_named_before_training_and_left_out_if_told_so(launch: Launcher, tmp_path: Path) -> None:
    for part in ("Train", "Val"):
        pictures(tmp_path / "parts" / part, 16)
    broken = tmp_path / "parts" / "Val" / "dog" / "3.png"
    broken.write_bytes(broken.read_bytes()[:-30])
    run = launch(*SIMCLR, folder(tmp_path / "parts"))
    assert run.returncode == 2 and "1 of 64 images cannot be used: " in run.stdout + run.stderr
    assert "dog/3.png" in run.stdout + run.stderr and not list(launch.outputs.rglob("last.ckpt"))
    run = launch(*SIMCLR, folder(tmp_path / "parts"), "data.source.broken=skip")
    assert run.returncode == 0, run.stdout + run.stderr
    (log,) = (path.read_text() for path in launch.outputs.rglob("log.log") if "to train on" in path.read_text())
    assert "to test on: 32 images (Val) of 2 classes" in log and "1 are broken and left out" in log
