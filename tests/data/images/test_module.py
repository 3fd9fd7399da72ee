"""The data module: batches of views that do not depend on processes, batches or interruptions."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed
import torch.multiprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from data.full_batches import FullBatches
from data.images.fake import Fake
from data.images.folder import Folder
from data.images.long_tailed import LongTailed
from data.images.module import ImageData
from data.images.source import ImageSource
from data.images.support import Support
from data.images.views import Views
from data.images.views.view import View
from data.images.views.view_set import ViewSet
from runs.errors import ConfigError
from runs.local_processes import on_processes
from tests.data.images.pictures import photographs, to_pillow

STATISTICS = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}
COLOURS = View(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, gray=0.2, blur=0.5, solarize=0.2)


def module(source: ImageSource | None = None, **settings: object) -> ImageData:
    source = Fake(size=16, classes=4, train_per_class=10, test_per_class=3) if source is None else source
    views = ViewSet(first=COLOURS, second=View(), local=View(count=2, size=8))
    made = ImageData(
        **(
            {"name": "t", "source": source, "views": views, "size": 16, "batch_size": 8, "seed": 5}
            | STATISTICS
            | settings
        )
    )
    made.setup()
    return made


def epoch_of(made: ImageData, epoch: int = 0, skip: int = 0) -> list[Views]:
    """What a trainer would see in an epoch, from a batch on."""
    loader = made.train_dataloader()
    loader.load_state_dict({"batches": skip})  # type: ignore[attr-defined]
    loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
    return [made.draw(batch, epoch) for batch in loader]


def by_sample(batches: list[Views]) -> dict[int, torch.Tensor]:
    """First and second view of each sample."""
    return {
        int(index): torch.stack([views.views[0][row], views.views[1][row]])
        for views in batches
        for row, index in enumerate(views.indices)
    }


def assert_same(first: dict[int, torch.Tensor], second: dict[int, torch.Tensor]) -> None:
    assert set(first) == set(second)
    for index, views in first.items():
        assert torch.allclose(views, second[index], atol=1e-5), index


def test_a_training_batch_is_views_labels_and_indices() -> None:
    batches = epoch_of(module())
    assert len(batches) == 36 // 8
    views = batches[0]
    assert [tuple(view.shape) for view in views.views] == [(8, 3, 16, 16)] * 2 + [(8, 3, 8, 8)] * 2
    assert views.global_views == 2
    train = module().clean("train")
    assert train.labels is not None and views.labels is not None
    assert torch.equal(views.labels, train.labels[views.indices])


def test_a_resumed_epoch_is_the_rest_of_the_undisturbed_one_bit_for_bit() -> None:
    whole, rest = epoch_of(module(), epoch=3), epoch_of(module(), epoch=3, skip=2)
    assert len(rest) == len(whole) - 2
    for resumed, undisturbed in zip(rest, whole[2:], strict=True):
        assert torch.equal(resumed.indices, undisturbed.indices)
        assert all(torch.equal(a, b) for a, b in zip(resumed.views, undisturbed.views, strict=True))


def test_a_sample_looks_the_same_at_every_batch_size_and_otherwise_in_every_epoch() -> None:
    small, large = (by_sample(epoch_of(module(batch_size=size))) for size in (4, 12))
    assert_same(small, large)
    other = by_sample(epoch_of(module(batch_size=4), epoch=1))
    assert not any(torch.allclose(small[index], other[index], atol=0.05) for index in small)


def test_two_processes_together_see_what_one_sees() -> None:
    first, second = on_processes(lambda rank: by_sample(epoch_of(module(), epoch=1)))
    assert len(first) == len(second) == 16 and not first.keys() & second.keys()
    assert_same(first | second, by_sample(epoch_of(module(), epoch=1)))


@given(size=st.integers(1, 60), share=st.integers(1, 5), ranks=st.integers(1, 4), epoch=st.integers(0, 3))
@settings(max_examples=50)
def test_the_ranks_full_batches_one_after_the_other_are_those_of_one_process(
    size: int, share: int, ranks: int, epoch: int
) -> None:
    batch = share * ranks
    if size < batch:
        with pytest.raises(ConfigError, match=f"batch_size is {batch}, and there are {size} samples"):
            FullBatches(size, 5, batch, ranks)
        return
    orders = [FullBatches(size, 5, batch, ranks, rank) for rank in range(ranks)]
    alone = FullBatches(size, 5, batch)
    for order in (*orders, alone):
        order.set_epoch(epoch)
    assert {len(list(order)) for order in orders} == {len(order) for order in orders} == {size // batch * share}
    parts = [[list(order)[start : start + share] for start in range(0, len(order), share)] for order in orders]
    together = list(itertools.chain.from_iterable(part for batch in zip(*parts, strict=True) for part in batch))
    assert together == list(alone) and len(set(together)) == len(together)


class Sees(pl.LightningModule):
    """Notes what reaches a training step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.seen: list[Views] = []

    def training_step(self, batch: Views, index: int) -> torch.Tensor:
        self.seen.append(batch)
        return self.layer(torch.ones(1, 1)).sum()

    def test_step(self, batch: object, index: int) -> None:
        self.tested = batch

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def test_the_trainer_sees_the_views_of_its_epoch_and_one_test_step(tmp_path: Path) -> None:
    made, sees = module(), Sees()
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(sees, datamodule=made)
    expected = epoch_of(module(), 0) + epoch_of(module(), 1)
    assert len(sees.seen) == len(expected)
    for seen, views in zip(sees.seen, expected, strict=True):
        assert torch.equal(seen.indices, views.indices) and torch.equal(seen.views[0], views.views[0])
    trainer.test(sees, datamodule=made, verbose=False)
    assert sees.tested is not None


def test_a_support_is_a_view_of_balanced_images_and_another_in_every_step() -> None:
    made = module(support=Support(per_class=2))
    made.setup()
    stored = next(iter(made.train_dataloader()))
    first, again, later = (made.draw(stored, epoch=0, step=step).support for step in (3, 3, 4))
    assert first is not None and again is not None and later is not None
    classes = len(made.classes)
    assert first[0].shape == (2 * classes, 3, made.size, made.size)
    assert first[1].tolist() == [label for label in range(classes) for _ in range(2)]
    assert torch.equal(first[0], again[0]) and not torch.equal(first[0], later[0])
    assert made.draw(stored, epoch=0).views[0].shape == (*stored.images.shape[:2], made.size, made.size)


def test_clean_images_are_normalised_and_in_order_and_splits_do_not_meet() -> None:
    made = module()
    for name, count in (("train", 36), ("validation", 4), ("test", 12)):
        images, labels, indices = (torch.cat(parts) for parts in zip(*made.clean_loader(name, 5), strict=True))
        whole = made.clean(name)
        assert indices.tolist() == list(range(count))
        assert whole.labels is not None and torch.equal(labels, whole.labels)
        mean, std = (torch.tensor(STATISTICS[key])[:, None, None] for key in ("mean", "std"))
        assert torch.allclose((images * std + mean) * 255, whole.images[:].float(), atol=1e-3)
    train, validation = (made.clean(name).images[:].flatten(1) for name in ("train", "validation"))
    assert torch.cdist(train.float(), validation.float()).min() > 0


def test_probes_may_see_other_images_than_the_encoder() -> None:
    source = Fake(size=16, classes=4, train_per_class=10, test_per_class=3)
    alone, other = module(LongTailed(source, 0.5)), module(source)
    made = module(LongTailed(source, 0.5), probes=source, support=Support(per_class=1))
    for split in ("train", "validation", "test"):
        assert made.clean(split).identity == other.clean(split).identity
    assert len(made.clean("train")) > len(alone.clean("train"))
    for ours, theirs in zip(epoch_of(made), epoch_of(alone), strict=True):
        assert torch.equal(ours.views[0], theirs.views[0]) and torch.equal(ours.labels, theirs.labels)


def test_probes_of_other_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"data\.probes has the classes .* and data\.source"):
        module(probes=Fake(size=16, classes=3, train_per_class=10, test_per_class=3))


def test_the_split_is_the_same_for_all_seeds_of_a_run() -> None:
    first, second = module(), module(seed=6)
    assert first.clean("train").identity == second.clean("train").identity
    assert not torch.equal(epoch_of(first)[0].indices, epoch_of(second)[0].indices)


def test_loading_draws_nothing_from_the_global_random_state() -> None:
    before = torch.get_rng_state()
    epoch_of(module())
    list(module().clean_loader("test", 4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, (height, width) in enumerate([(40, 50), (30, 20), (64, 64), (25, 90)] * 3):
        to_pillow(photographs(1, height, width, number)[0]).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_views_of_files_of_any_size_do_not_depend_on_their_batch(pictures: Path, workers: int) -> None:
    source = Folder(str(pictures), size=16, clean_side=18, stored_side=32, test_fraction=0.2)
    options = {"source": source, "validation_fraction": 0.0}
    small, large = (module(batch_size=size, workers=workers, **options) for size in (2, 5))
    views = epoch_of(small)
    assert views[0].labels is None and small.classes == ()
    assert [tuple(view.shape[2:]) for view in views[0].views] == [(16, 16)] * 2 + [(8, 8)] * 2
    assert_same(by_sample(views), by_sample(epoch_of(large)))
    images, labels, _ = next(iter(small.clean_loader("test", 4)))
    assert images.shape == (2, 3, 16, 16) and labels is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1}, r"data\.batch_size is 1"),
        ({"size": 0}, r"data\.size is 0"),
        ({"workers": -1}, r"data\.workers is -1"),
        ({"mean": (0.5,)}, r"data\.mean is \[0\.5\]"),
        ({"std": (0.5, 0.5, 0.0)}, r"data\.std is \[0\.5, 0\.5, 0\.0\]"),
        ({"validation_fraction": 1.0}, r"data\.validation_fraction is 1\.0"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        module(**settings)


def test_batches_that_cannot_be_made_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"data\.batch_size is 64, and there are 36 samples to train on"):
        module(batch_size=64).train_dataloader()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    with pytest.raises(ConfigError, match=r"data\.batch_size is 8, which 3 processes cannot share equally"):
        module().train_dataloader()


def test_splits_that_are_not_there_are_named() -> None:
    with pytest.raises(ConfigError, match="split 'tests' is unknown; did you mean 'test'"):
        module().clean("tests")
    with pytest.raises(ConfigError, match=r"data\.validation_fraction is 0, and validation images are wanted"):
        module(validation_fraction=0.0).clean("validation")
