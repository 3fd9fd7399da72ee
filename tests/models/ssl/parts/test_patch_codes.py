"""k-means of patches: nearest centres, means of clusters, and the same on two processes."""

from __future__ import annotations

import pytest
import torch

from models.ssl.parts.patch_codes import PatchCodes
from runs.errors import ConfigError
from runs.local_processes import on_processes


def clusters(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches near three far points, and which."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(3, (rows, 4), generator=generator)
    points = 20 * torch.eye(3, 5)
    return points[which] + 0.1 * torch.randn(rows, 4, 5, generator=generator), which


def test_the_code_is_the_nearest_centre() -> None:
    torch.manual_seed(0)
    codes, patches = PatchCodes(5, 7), torch.randn(6, 4, 5)
    found = codes(patches)
    assert torch.equal(found.flatten(), torch.cdist(patches.flatten(0, 1), codes.centers).argmin(1))


def test_the_centres_start_as_patches_and_become_the_means_of_all_that_they_got() -> None:
    torch.manual_seed(0)
    codes = PatchCodes(5, 3)
    first, _ = clusters(8)
    codes(first)
    assert all((first.flatten(0, 1) == center).all(1).any() for center in codes.centers)
    codes.centers.copy_(20 * torch.eye(3, 5))
    seen: list[list[torch.Tensor]] = [[], [], []]
    for seed in range(4):
        patches, which = clusters(8, seed)
        found = codes(patches)
        assert torch.equal(found, which)
        codes.update(patches, found)
        for cluster in range(3):
            seen[cluster].append(patches[which == cluster])
    expected = torch.stack([torch.cat(own).mean(0) for own in seen])
    torch.testing.assert_close(codes.centers, expected)


def test_centres_survive_a_checkpoint_and_do_not_start_again() -> None:
    torch.manual_seed(0)
    codes, patches = PatchCodes(5, 3), clusters(8)[0]
    found = codes(patches)
    restored = PatchCodes(5, 3)
    restored.load_state_dict(codes.state_dict())
    assert torch.equal(restored(patches), found)


def learned(rank: int | None) -> torch.Tensor:
    torch.manual_seed(5)
    codes = PatchCodes(5, 6)
    for seed in range(3):
        patches = clusters(8, seed)[0] + torch.randn(8, 4, 5, generator=torch.Generator().manual_seed(seed))
        own = patches if rank is None else patches.chunk(2)[rank]
        codes.update(own, codes(own))
    return codes.centers


def test_two_processes_learn_the_codes_of_one() -> None:
    for centers in on_processes(learned):
        torch.testing.assert_close(centers, learned(None))


def test_too_few_codes_or_patches_are_refused() -> None:
    with pytest.raises(ConfigError, match="codes is 1"):
        PatchCodes(5, 1)
    with pytest.raises(ConfigError, match="codes is 50, more than the 8 different patches"):
        PatchCodes(5, 50)(torch.randn(2, 4, 5))
