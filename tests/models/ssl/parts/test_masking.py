"""Masks: exact counts, shapes, and the same draws on one process and on several."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ssl.parts.masking.blockwise import Blockwise, blockwise, rectangle
from models.ssl.parts.masking.mask import taken, visible_and_hidden
from models.ssl.parts.masking.multi_block import MultiBlock
from models.ssl.parts.masking.random import RandomMasking
from models.ssl.parts.masking.square_blocks import SquareBlocks
from runs.errors import ConfigError

CPU = torch.device("cpu")
MASKINGS = [RandomMasking(0.75), SquareBlocks(0.6, 2), Blockwise(0.4)]


@settings(max_examples=40)
@given(share=st.floats(0.05, 0.95), side=st.sampled_from([2, 4, 7]), seed=st.integers(0, 99))
def test_random_and_rectangular_masks_hide_exactly_the_share_of_every_image(share: float, side: int, seed: int) -> None:
    torch.manual_seed(seed)
    count = round(share * side**2)
    for masking in (RandomMasking(share), Blockwise(share)):
        if not 0 < count < side**2:
            with pytest.raises(ConfigError, match=f"hides {count} of"):
                masking(3, (side, side), CPU)
        else:
            assert masking(3, (side, side), CPU).sum(1).tolist() == [count] * 3


def test_every_patch_is_hidden_as_often_as_the_share_says() -> None:
    torch.manual_seed(0)
    often = RandomMasking(0.75)(4000, (4, 4), CPU).float().mean(0)
    torch.testing.assert_close(often, torch.full((16,), 0.75), atol=0.03, rtol=0)


def test_square_blocks_are_squares_of_a_coarser_grid() -> None:
    torch.manual_seed(0)
    mask = SquareBlocks(0.6, 2)(50, (8, 6), CPU)
    squares = mask.view(50, 4, 2, 3, 2).transpose(2, 3).flatten(3)
    assert torch.equal(squares.all(3), squares.any(3))
    assert squares.all(3).flatten(1).sum(1).tolist() == [round(0.6 * 12)] * 50


def perimeter(mask: torch.Tensor, side: int) -> float:
    """Borders between hidden and visible patches, per image."""
    grid = mask.view(-1, side, side)
    return float((grid[:, 1:] != grid[:, :-1]).float().sum() + (grid[..., 1:] != grid[..., :-1]).float().sum()) / len(
        grid
    )


def test_rectangles_hang_together_where_random_patches_do_not() -> None:
    torch.manual_seed(0)
    blocks, random = Blockwise(0.4)(200, (14, 14), CPU), RandomMasking(0.4)(200, (14, 14), CPU)
    assert perimeter(blocks, 14) < 0.45 * perimeter(random, 14)


def test_counts_may_differ_from_image_to_image_and_be_none() -> None:
    torch.manual_seed(0)
    counts = torch.tensor([0, 1, 13, 64])
    assert torch.equal(blockwise(counts, (8, 8)).sum(1), counts)


def test_a_rectangle_has_its_area_its_ratio_and_lies_inside() -> None:
    down, across = torch.tensor([0.0, 0.999]), torch.tensor([0.0, 0.999])
    masks = rectangle(torch.tensor([8.0, 8.0]), torch.tensor([2.0, 2.0]), down, across, (6, 5)).view(2, 6, 5)
    for mask, rows, columns in zip(masks, ([0, 1, 2, 3], [2, 3, 4, 5]), ([0, 1], [3, 4]), strict=True):
        assert mask.any(1).nonzero().flatten().tolist() == rows
        assert mask.any(0).nonzero().flatten().tolist() == columns
        assert mask.sum() == 8


def test_visible_and_hidden_patches_are_apart_complete_and_in_order() -> None:
    torch.manual_seed(0)
    mask = RandomMasking(0.75)(5, (4, 4), CPU)
    visible, hidden = visible_and_hidden(mask)
    assert visible.shape == (5, 4) and hidden.shape == (5, 12)
    assert torch.equal(torch.cat([visible, hidden], 1).sort(1).values, torch.arange(16).expand(5, -1))
    assert torch.equal(visible, visible.sort(1).values) and torch.equal(hidden, hidden.sort(1).values)
    assert not taken(mask, visible).any() and taken(mask, hidden).all()


@pytest.mark.parametrize("hidden", [[0, 0], [4, 4], [1, 2]])
def test_masks_that_show_or_hide_nothing_or_differ_in_number_are_refused(hidden: list[int]) -> None:
    mask = torch.arange(4) < torch.tensor(hidden)[:, None]
    with pytest.raises(ConfigError, match=f"hides {hidden[0]} to {hidden[1]} of 4 patches"):
        visible_and_hidden(mask)


@settings(max_examples=30)
@given(seed=st.integers(0, 999), side=st.sampled_from([8, 14]))
def test_the_context_has_no_patch_of_a_target(seed: int, side: int) -> None:
    torch.manual_seed(seed)
    context, targets = MultiBlock()(6, (side, side), CPU)
    assert targets.shape[:2] == (6, 4)
    area = targets.shape[2] / side**2
    assert 0.1 < area < 0.3, "between the limits, up to rounding to whole patches"
    for row in range(6):
        assert not set(context[row].tolist()) & set(targets[row].flatten().tolist())
        assert len(set(context[row].tolist())) == context.shape[1] >= 1
        for block in targets[row]:
            rows, columns = {int(i) // side for i in block}, {int(i) % side for i in block}
            assert len(block.unique()) == len(block) == len(rows) * len(columns), "a rectangle"
            assert max(rows) - min(rows) == len(rows) - 1 and max(columns) - min(columns) == len(columns) - 1


def test_targets_that_cover_a_tiny_grid_leave_one_patch_to_see() -> None:
    torch.manual_seed(0)
    masking = MultiBlock(target_area=(1.0, 1.0), target_aspect=(1.0, 1.0))
    context, targets = masking(3, (2, 2), CPU)
    assert context.shape == (3, 1) and targets.shape == (3, 4, 4)


def test_the_smallest_context_of_the_batch_is_whole() -> None:
    torch.manual_seed(3)
    context, targets = MultiBlock(context_area=(1.0, 1.0))(8, (8, 8), CPU)
    free = [64 - len(set(block.flatten().tolist())) for block in targets]
    assert context.shape[1] == min(free)


@pytest.mark.parametrize("masking", [*MASKINGS, MultiBlock()], ids=lambda m: type(m).__name__)
def test_the_ranks_draw_what_one_process_draws(masking: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(rows: int) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(8)
        result = masking(rows, (8, 8), CPU, views=2)
        return result if isinstance(result, tuple) else (result,)

    alone = drawn(12)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        for ours, whole in zip(drawn(4), alone, strict=True):
            own = torch.cat([view.chunk(3)[rank] for view in whole.chunk(2)])
            assert torch.equal(ours, own), "of either view"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SquareBlocks(0.5, 3)(1, (8, 8), CPU), "block is 3.* 8 x 8"),
        (lambda: MultiBlock(targets=0), "targets is 0"),
        (lambda: MultiBlock(target_area=(0.3, 0.2)), r"target_area is \[0\.3, 0\.2\]"),
        (lambda: MultiBlock(context_area=(0.5, 1.2)), r"context_area is \[0\.5, 1\.2\]"),
    ],
)
def test_settings_that_make_no_masks_are_refused(make: Callable, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()
