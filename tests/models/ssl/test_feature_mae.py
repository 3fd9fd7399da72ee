"""MAE on rows: what the loss looks at, what the encoder sees, and that it learns what features say of each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.ssl.feature_mae import FeatureMAE
from models.ssl.parts.heads import Projector
from models.ssl.recipe import Moment, ViewBatch

MOMENT = Moment(0, 1, 0, 1)


class Watched(nn.Module):
    """An encoder that returns its input and remembers it."""

    width = 4

    def forward(self, x: Tensor) -> Tensor:
        self.seen = x
        return x


def test_the_encoder_sees_the_learned_value_for_half_of_the_features_and_the_loss_is_theirs() -> None:
    torch.manual_seed(0)
    recipe = FeatureMAE(Watched(), lambda width: nn.Identity(), features=4)
    recipe.hidden_value.data.fill_(9.0)
    rows = torch.randn(8, 4)
    output = recipe(ViewBatch((rows,), 1), MOMENT)
    seen = recipe.encoder.seen
    hidden = seen == 9.0
    assert hidden.sum(1).tolist() == [2] * 8
    assert torch.equal(seen[~hidden], rows[~hidden])
    torch.testing.assert_close(output.loss, (9.0 - rows[hidden]).square().mean())
    assert output.features is seen


def test_visible_features_get_no_gradient_from_the_decoder() -> None:
    torch.manual_seed(0)
    recipe = FeatureMAE(Watched(), lambda width: nn.Identity(), features=4, share=0.25)
    rows = torch.randn(5, 4)
    recipe(ViewBatch((rows,), 1), MOMENT).loss.backward()
    assert recipe.hidden_value.grad is not None
    torch.testing.assert_close(recipe.hidden_value.grad, (2 * (0 - rows) * (recipe.encoder.seen == 0)).sum(0) / 5)


def test_all_views_of_full_size_count() -> None:
    recipe = FeatureMAE(Watched(), lambda width: nn.Identity(), features=4)
    views = torch.randn(2, 3, 4)
    assert len(recipe(ViewBatch(tuple(views), 2), MOMENT).features) == 6


def test_a_feature_that_repeats_another_is_predicted_better_than_by_its_mean() -> None:
    torch.manual_seed(0)
    recipe = FeatureMAE(Projector(4, 32, 16, 2), lambda width: Projector(width, 32, 4, 2), features=4, share=0.25)
    optimizer = torch.optim.AdamW(recipe.parameters(), lr=1e-2)
    losses = []
    for _ in range(200):
        once = torch.randn(64, 2)
        loss = recipe(ViewBatch((torch.cat([once, once], 1),), 1), MOMENT).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-20:]) / 20 < 0.3
