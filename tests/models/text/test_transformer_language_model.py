"""The language model: positions, what it may look at, its two groups of weights."""

from __future__ import annotations

import math

import pytest
import torch

from models.encoders.positions import sinusoidal_positions
from models.text.language_model import TransformerLanguageModel


def model(layers: int = 2, **options: object) -> TransformerLanguageModel:
    torch.manual_seed(0)
    return TransformerLanguageModel(30, 12, layers, width=8, heads=2, feed_forward=16, **options)


@pytest.mark.parametrize("width", [1, 6, 7])
def test_positions_are_the_sines_and_cosines_of_the_original_paper(width: int) -> None:
    positions = sinusoidal_positions(20, width)
    for t in (0, 3, 19):
        for i in range(width):
            angle = t / 10_000 ** (2 * (i // 2) / width)
            assert positions[t, i].item() == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-6)


def test_a_prediction_depends_on_the_words_up_to_it_only() -> None:
    one = torch.randint(30, (3, 12))
    other = one.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 30
    logits, changed = (model().eval()(tokens)[0] for tokens in (one, other))
    torch.testing.assert_close(logits[:, :7], changed[:, :7])
    assert not torch.allclose(logits[:, 7:], changed[:, 7:])


def test_the_same_words_in_another_order_are_told_apart() -> None:
    network = model(layers=1).eval()
    one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
    assert not torch.allclose(network(one)[0][:, -1], network(other)[0][:, -1])


def test_a_fresh_model_knows_next_to_nothing() -> None:
    torch.manual_seed(1)
    network = TransformerLanguageModel(500, 12, 1, width=64, heads=1, feed_forward=64).eval()
    tokens = torch.randint(500, (50, 12))
    loss = torch.nn.functional.cross_entropy(network(tokens)[0].flatten(0, 1), torch.randint(500, (600,)))
    # logits are sums of 64 products of normed hidden units with weights uniform in (-0.1, 0.1)
    assert loss.item() == pytest.approx(math.log(500) + 0.5 * 64 * 0.1**2 / 3, abs=0.1)


def test_the_feed_forward_group_is_the_feed_forward_networks() -> None:
    network = model(layers=3)
    sizes = sorted(parameter.numel() for parameter in network.feed_forward_parameters())
    assert sizes == sorted([8 * 16, 16, 16 * 8, 8] * 3)


def test_a_sequence_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="13 tokens"):
        model()(torch.zeros(1, 13, dtype=torch.long))


def test_weights_bring_the_number_of_words_they_were_trained_with() -> None:
    small, large = model(), model()
    small.resize(7)
    assert (small.vocabulary_size, small.decoder.out_features) == (7, 7)
    assert small.embedding.weight.abs().max() <= 0.1 and small.decoder.bias.abs().max() == 0
    large.load_state_dict(small.state_dict())
    tokens = torch.randint(7, (2, 12))
    assert torch.equal(large.eval()(tokens)[0], small.eval()(tokens)[0])
