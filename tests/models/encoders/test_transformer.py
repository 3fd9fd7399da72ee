"""The transformer block against PyTorch's own, and what its attention maps must be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoders.dropout import SharedDropout
from models.encoders.transformer import SelfAttention, Transformer, TransformerBlock

WIDTH, HEADS, HIDDEN = 12, 3, 20


def with_weights_of(block: TransformerBlock, norm: str, activation: str) -> torch.nn.TransformerEncoderLayer:
    """PyTorch's layer with the weights of ours."""
    theirs = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, HIDDEN, dropout=0.0, activation=activation, norm_first=norm == "pre", batch_first=True
    )
    names = {
        "attention.project_in.": "self_attn.in_proj_",
        "attention.project_out.": "self_attn.out_proj.",
        "feed_forward.0.": "linear1.",
        "feed_forward.3.": "linear2.",
        "attention_norm.": "norm1.",
        "feed_forward_norm.": "norm2.",
    }
    state = {}
    for name, value in block.state_dict().items():
        ours, leaf = name.rsplit(".", 1)
        state[names[f"{ours}."] + leaf] = value
    theirs.load_state_dict(state)
    return theirs


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Norms and biases are ones and zeros at first, which hides mistakes."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_block_equals_pytorchs_with_the_same_weights(
    norm: str, activation: str, causal: bool, need_weights: bool
) -> None:
    torch.manual_seed(1)
    block = randomised(TransformerBlock(WIDTH, HEADS, HIDDEN, norm=norm, activation=activation, causal=causal))
    theirs = with_weights_of(block, norm, activation)
    x = torch.randn(4, 7, WIDTH)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7) if causal else None
    expected = theirs(x, src_mask=mask)
    result, maps = block(x, need_weights)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert (maps is not None) == need_weights
    if maps is not None:
        inner = theirs.norm1(x) if norm == "pre" else x
        _, wanted = theirs.self_attn(inner, inner, inner, attn_mask=mask, average_attn_weights=False)
        torch.testing.assert_close(maps, wanted, rtol=1e-4, atol=1e-6)


def test_a_fresh_block_starts_as_pytorchs_does() -> None:
    torch.manual_seed(5)
    ours = TransformerBlock(64, 4, 128)
    bound = (6 / (64 + 3 * 64)) ** 0.5
    assert ours.attention.project_in.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
    assert not ours.attention.project_in.bias.any()
    assert not ours.attention.project_out.bias.any()


@settings(max_examples=25)
@given(batch=st.integers(1, 3), tokens=st.integers(1, 9), layers=st.integers(1, 3), seed=st.integers(0, 99))
def test_causal_maps_are_distributions_over_the_past(batch: int, tokens: int, layers: int, seed: int) -> None:
    torch.manual_seed(seed)
    stack = Transformer(layers, WIDTH, HEADS, HIDDEN, causal=True)
    _, maps = stack(torch.randn(batch, tokens, WIDTH), need_weights=True)
    assert maps.shape == (layers, batch, HEADS, tokens, tokens)
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    assert not maps.triu(1).any()


def test_a_causal_stack_does_not_see_the_future() -> None:
    torch.manual_seed(2)
    stack = Transformer(2, WIDTH, HEADS, HIDDEN, norm="pre", causal=True).eval()
    x = torch.randn(2, 8, WIDTH)
    changed = x.clone()
    changed[:, 5:] = torch.randn(2, 3, WIDTH)
    torch.testing.assert_close(stack(x)[0][:, :5], stack(changed)[0][:, :5])
    assert not torch.allclose(stack(x)[0][:, 5:], stack(changed)[0][:, 5:])


def test_attention_without_a_mask_does_not_know_the_order() -> None:
    torch.manual_seed(3)
    attention = SelfAttention(WIDTH, HEADS)
    x, order = torch.randn(2, 6, WIDTH), torch.randperm(6)
    torch.testing.assert_close(attention(x[:, order])[0], attention(x)[0][:, order])


def test_maps_asked_for_change_nothing_in_training_with_dropout() -> None:
    torch.manual_seed(4)
    block = TransformerBlock(WIDTH, HEADS, HIDDEN, dropout=0.4, causal=True)
    x = torch.randn(2, 6, WIDTH)
    results = []
    for need_weights in (False, True):
        torch.manual_seed(9)
        results.append(block(x, need_weights)[0])
    assert torch.equal(*results)
    assert not torch.allclose(results[0], block.eval()(x)[0]), "dropout is on in training"


@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_half_precision_is_near_that_in_single(causal: bool) -> None:
    torch.manual_seed(6)
    attention, x = SelfAttention(WIDTH, HEADS, causal=causal), torch.randn(4, 7, WIDTH)
    half = attention.to(torch.bfloat16)(x.bfloat16())[0]
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), attention.float()(x)[0], rtol=0.05, atol=0.02)


def test_dropout_is_pytorchs_in_one_process() -> None:
    x = torch.randn(50, 40)
    torch.manual_seed(7)
    ours = SharedDropout(0.3)(x)
    torch.manual_seed(7)
    torch.testing.assert_close(ours, torch.nn.functional.dropout(x, 0.3))
    assert SharedDropout(0.3).eval()(x) is x


def test_the_ranks_of_a_batch_draw_the_masks_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    x, dropout = torch.ones(6, 5, 4), SharedDropout(0.5)
    torch.manual_seed(8)
    alone = dropout(x)
    parts = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        torch.manual_seed(8)
        parts.append(dropout(x[2 * rank : 2 * rank + 2]))
    assert torch.equal(torch.cat(parts), alone)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"heads": 5}, "heads"),
        ({"heads": 0}, "heads"),
        ({"norm": "batch"}, "norm"),
        ({"activation": "tanh"}, "activation"),
        ({"dropout": 1.0}, "dropout"),
        ({"layers": 0}, "layers"),
    ],
)
def test_settings_that_make_no_transformer_are_refused(arguments: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Transformer(**{"layers": 1, "width": WIDTH, "heads": HEADS, "feed_forward": HIDDEN} | arguments)
