"""The set of protocols on one checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from runs.errors import ConfigError
from runs.local_processes import on_processes
from runs.record.left_out import WARNING_FILE
from tasks.images.pictures.picture import Picture
from tasks.images.pictures.spectra import Spectra
from tasks.images.protocols.corruption import Corruption
from tasks.images.protocols.extraction import Extraction
from tasks.images.protocols.features import FeatureParts
from tasks.images.protocols.knn import KNN
from tasks.images.protocols.linear_lbfgs import LinearLBFGS
from tasks.images.protocols.low_shot import LowShot
from tasks.images.protocols.on_validation import OnValidation
from tasks.images.protocols.protocol import Protocol
from tasks.images.protocols.sgd_probe import SGDProbe
from tasks.images.protocols.suite import Suite
from tasks.images.representation.alpha_req import AlphaReQ
from tasks.images.representation.collapse import Collapse
from tasks.images.representation.rank_me import RankMe
from tests.tasks.images.tiny_images import HOST, TinyNet, TinyRecipe, tiny_data, tiny_parts


def suite(*protocols: Protocol, cache: Path | None = None) -> Suite:
    named: dict[str, Protocol | None] = {type(each).__name__: each for each in protocols}
    return Suite(named | {"left_out": None}, {"spectra": Spectra(), "none": None}, Extraction(cache, batch_size=8))


def test_metrics_of_all_protocols_and_figures(tmp_path: Path) -> None:
    metrics = suite(KNN(k=3), LinearLBFGS(), Collapse()).evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path)
    assert {"knn", "linear", "linear_l2", "spread_h", "spread_z", "cosine_h"} <= set(metrics)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["figures/spectra.png"]


@pytest.mark.filterwarnings("ignore:rank_me")
def test_a_trainers_inference_mode_and_autocast_change_nothing(tmp_path: Path) -> None:
    protocols = (KNN(k=3), SGDProbe(epochs=2, batch_size=9), RankMe())
    expected = suite(*protocols).evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert suite(*protocols).evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path) == expected


def test_a_double_precision_model_is_judged_in_single_precision_and_stays_as_it_is(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    expected = suite(KNN(k=3), Collapse()).evaluate(recipe, tiny_data(), HOST, tmp_path)
    assert suite(KNN(k=3), Collapse()).evaluate(recipe.double(), tiny_data(), HOST, tmp_path) == expected
    assert all(weight.dtype == torch.float64 for weight in recipe.parameters())


def test_the_second_evaluation_of_a_checkpoint_runs_no_encoder(tmp_path: Path) -> None:
    first, again = TinyRecipe(), TinyRecipe()
    made = [
        suite(KNN(k=3), cache=tmp_path).evaluate(each, tiny_data(), HOST, tmp_path / "run") for each in (first, again)
    ]
    assert made[0] == made[1]
    assert first.encoder.calls > 0 and again.encoder.calls == 0


def test_without_labels_the_label_free_protocols_run_and_the_others_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bare = tiny_data(labelled=False)
    with caplog.at_level(logging.WARNING):
        metrics = suite(KNN(k=3), LinearLBFGS(), Collapse()).evaluate(TinyNet(), bare, HOST, tmp_path)
    assert set(metrics) == {"spread_h", "cosine_h", "dead_h"}
    assert "left out: KNN, LinearLBFGS" in caplog.text
    with pytest.raises(ConfigError, match="protocols KNN, LinearLBFGS need labels"):
        suite(KNN(k=3), LinearLBFGS()).evaluate(TinyNet(), bare, HOST, tmp_path)


def test_two_protocols_cannot_report_the_same_metric(tmp_path: Path) -> None:
    protocols: dict[str, Protocol | None] = {"one": KNN(k=3), "other": KNN(k=5)}
    with pytest.raises(ConfigError, match=r"protocols\.other reports 'knn', and so does another"):
        Suite(protocols, None, Extraction(None)).evaluate(TinyNet(), tiny_data(), HOST, tmp_path)


def test_an_empty_suite_makes_nothing(tmp_path: Path) -> None:
    net = TinyNet()
    assert Suite(None, None, Extraction(tmp_path)).evaluate(net, tiny_data(), HOST, tmp_path) == {}
    assert net.calls == 0 and not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Brightness(Protocol):
    """Mean of the first feature of the test part."""

    supervised: ClassVar[bool] = False

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        return {"brightness": float(parts.test.h[:, 0].mean()), "training": float(parts.train.h.sum())}


@dataclass(frozen=True)
class Broken(Protocol):
    """Fails in a way that nobody foresaw."""

    def evaluate(self, parts: FeatureParts) -> dict[str, float]:
        raise IndexError("index 3 is out of bounds")


class BrokenPicture(Spectra):
    """Fails too."""

    def draw(self, parts: FeatureParts, metrics: Mapping[str, float]) -> bytes:
        raise ConfigError("nothing to see")


def test_a_protocol_and_a_figure_that_fail_are_named_and_the_others_kept(tmp_path: Path) -> None:
    pictures: dict[str, Picture | None] = {"empty": BrokenPicture(), "spectra": Spectra()}
    judged = Suite({"broken": Broken(), "knn": KNN(k=3)}, pictures, Extraction(None))
    assert set(judged.evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path)) == {"knn"}
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["spectra.png"]
    assert (tmp_path / WARNING_FILE).read_text().splitlines() == [
        "protocol broken is left out: IndexError: index 3 is out of bounds",
        "figure empty is left out: nothing to see",
    ]


def test_where_every_protocol_fails_the_first_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="index 3"):
        suite(Broken()).evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (KNN(k=1000), r"task\.protocols\.protocols\.judge\.k is 1000, and there are \d+ training images; give 1 to"),
        (OnValidation(KNN(k=1000)), r"judge\.protocol\.k is 1000"),
        (Corruption(KNN(k=0)), r"judge\.of\.k is 0"),
        (LowShot(KNN(k=2), "knn", per_class=900), r"judge\.per_class is 900, and a class has \d+ training images"),
        (LowShot(KNN(k=20), "knn", fraction=0.01), r"judge\.of\.k is 20, and there are \d training images"),
        (AlphaReQ(first=10_000, last=20_000), r"judge\.first is 10000, and h has only \d+ dimensions"),
    ],
)
def test_what_does_not_fit_the_data_is_known_before_anything_is_trained(protocol: Protocol, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Suite({"judge": protocol}, None, Extraction(None)).check(TinyRecipe(), tiny_data())


def test_corruption_replaces_the_test_images_alone() -> None:
    parts = tiny_parts(TinyNet())
    clean = Brightness().evaluate(parts)
    measured = Corruption(Brightness(), kinds=["contrast", "noise"], severities=[1, 5]).evaluate(parts)
    names = [f"brightness_{kind}_{severity}" for kind in ("contrast", "noise") for severity in (1, 5)]
    assert len({clean["brightness"], *(measured[name] for name in names)}) == 5
    assert measured["brightness_corrupted"] == pytest.approx(sum(measured[name] for name in names) / 4)
    assert {measured[f"training_{kind}_5"] for kind in ("contrast", "noise")} == {clean["training"]}


def test_unknown_corruptions_and_severities_are_refused() -> None:
    with pytest.raises(ConfigError, match="has 'fog'"):
        Corruption(kinds=["fog"])
    with pytest.raises(ConfigError, match=r"severities \[0\]"):
        Corruption(severities=[0])


def _on_rank(rank: int, folder: str) -> dict[str, float]:
    return suite(KNN(k=3), LinearLBFGS(), Collapse()).evaluate(
        TinyRecipe(), tiny_data(), HOST, Path(folder) / str(rank)
    )


def test_two_processes_report_what_one_does_and_the_first_draws(tmp_path: Path) -> None:
    first, second = on_processes(lambda rank: _on_rank(rank, str(tmp_path)))
    alone = suite(KNN(k=3), LinearLBFGS(), Collapse()).evaluate(TinyRecipe(), tiny_data(), HOST, tmp_path / "alone")
    assert first == second == pytest.approx(alone)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "alone"]
