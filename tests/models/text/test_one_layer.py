"""The replicated one-layer transformer against its definition, one sample at a time."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.text.closed_form import NormalizedAttentionCrossEntropy
from models.text.one_layer import OneLayerTransformer, sinusoids
from models.text.parametrization import Embedding, Pairwise
from runs.errors import ConfigError

CONTEXT, QUERIES, NEXT = 7, 2, 3
M = CONTEXT + QUERIES + NEXT
BROKEN: list[dict[str, Any]] = [
    {"normalization": "torch"},
    {"normalization": "none"},
    {"heads": 3},
    {"attend_query": True},
    {"residual": True},
    {"positions": 6},
    {"positions": 6, "attend_query": True, "residual": True, "heads": 2},
]
EMBEDDED = functools.partial(Embedding, dimension=5)


def model(seeds: tuple[int, ...] = (0, 1), **options: Any) -> OneLayerTransformer:
    return OneLayerTransformer(M, CONTEXT, QUERIES, seeds, **options).double()


def batch(replicas: int = 2, size: int = 4, length: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(CONTEXT, (replicas, size, length - 1), generator=generator)
    counts = nn.functional.one_hot(tokens, CONTEXT).sum(2).double()
    query = torch.randint(QUERIES, (replicas, size), generator=generator)
    target = CONTEXT + QUERIES + torch.randint(NEXT, (replicas, size), generator=generator)
    return {"query": query, "counts": counts, "target": target, "tokens": tokens}


def by_definition(net: OneLayerTransformer, replica: int, tokens: list[int], query: int, **options: Any) -> Tensor:
    """Logits of one sequence, position by position, in coordinates of all M tokens."""
    heads, positions = options.get("heads", 1), options.get("positions")
    Z, Y = (part[replica] for part in net.weights())
    one_hot = torch.eye(M, dtype=torch.float64)
    encoding = sinusoids(positions, M).double() if positions else torch.zeros(len(tokens) + 1, M, dtype=torch.float64)
    m = CONTEXT + query
    keys = [one_hot[x] + encoding[t] for t, x in enumerate(tokens)]
    if options.get("attend_query"):
        keys.append(one_hot[m] + encoding[len(tokens)])
    combined = []
    for h in range(heads):
        whole = torch.zeros(M, M, dtype=torch.float64)
        whole[net.shape.first_row : net.shape.first_row + net.shape.rows, : net.shape.width] = Z[h]
        scores = torch.stack([(one_hot[m] + encoding[-1]) @ whole @ key for key in keys])
        c = sum((b * key for b, key in zip(scores.softmax(0), keys, strict=True)), start=torch.zeros(M))
        combined.append((c + one_hot[m] if options.get("residual") else c)[: net.shape.width])
    c = torch.cat(combined)
    kind = options.get("normalization", "norm")
    if kind == "norm":
        c = c / c.norm()
    elif kind == "torch":
        c = (c - c.mean()) / (c.var(unbiased=False) + 1e-5).sqrt()
    return Y.T @ c


@pytest.mark.parametrize("options", [{}, *BROKEN])
def test_logits_follow_the_definition(options: dict[str, Any]) -> None:
    net, data = model(**options), batch()
    logits = net(data["query"], data["counts"], data["tokens"])
    for replica in range(2):
        for i in range(4):
            tokens, query = data["tokens"][replica, i].tolist(), int(data["query"][replica, i])
            assert torch.allclose(logits[replica, i], by_definition(net, replica, tokens, query, **options), atol=1e-12)


@pytest.mark.parametrize(
    "options", [{"attend_query": True}, {"residual": True}, {"normalization": "torch"}, {"normalization": "none"}]
)
def test_a_broken_assumption_is_not_the_paper_s_model(options: dict[str, Any]) -> None:
    """Published entropies cannot tell an attended query, one token of 128, from noise: the definition can."""
    net, data = model(**options), batch()
    logits = net(data["query"], data["counts"])
    paper = by_definition(net, 0, data["tokens"][0, 0].tolist(), int(data["query"][0, 0]))
    assert float((logits[0, 0] - paper).detach().abs().max()) > 1e-2


@pytest.mark.parametrize("options", [{}, {"attend_query": True}, {"parametrization": EMBEDDED}])
def test_closed_form_gradients_are_those_of_autograd(options: dict[str, Any]) -> None:
    net, data = model(**options), batch()
    assert net.is_plain
    fast = net.loss(**data)
    parameters = list(net.parameters())
    ours = torch.autograd.grad(fast.sum(), parameters)
    net.is_plain = False
    plain = net.loss(**data)
    assert torch.allclose(fast, plain, atol=1e-14)
    for mine, theirs in zip(ours, torch.autograd.grad(plain.sum(), parameters), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-14)


def test_closed_form_gradients_are_those_of_finite_differences() -> None:
    net, data = model(), batch()
    Z, Y = (part.detach().clone().requires_grad_() for part in net.weights())
    fixed = data["query"], data["counts"], data["target"]
    assert torch.autograd.gradcheck(
        lambda z, y: NormalizedAttentionCrossEntropy.apply(z, y, *fixed), (Z[:, 0].detach().requires_grad_(), Y)
    )


@pytest.mark.parametrize("options", [{}, *BROKEN], ids=str)
def test_autocast_changes_nothing(options: dict[str, Any]) -> None:
    transformer, data = model(**options).float(), batch()
    data["counts"] = data["counts"].float()

    def gradients(autocast: bool) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = transformer.loss(**data).sum()
        return torch.autograd.grad(loss, tuple(transformer.parameters()))

    assert all(map(torch.equal, gradients(True), gradients(False)))


def test_attention_logits_never_change_in_sum() -> None:
    """P_f^perp: a constant added to a row of Z changes nothing."""
    net, data = model(), batch()
    net.loss(**data).sum().backward()
    assert net.weights.Z.grad is not None
    assert torch.allclose(net.weights.Z.grad.sum(-1), torch.zeros(()).double(), atol=1e-16)


def test_an_extreme_logit_leaves_loss_and_gradients_finite() -> None:
    net, data = model(), batch()
    assert (data["counts"][..., 0] == 0).any(), "some sequence lacks the token that gets the extreme logit"
    with torch.no_grad():
        net.weights.Z[..., 0] = 500.0
        net.weights.Y[:, 0] = 500.0
    fast = net.loss(**data)
    ours = torch.autograd.grad(fast.sum(), list(net.parameters()))
    net.is_plain = False
    plain = net.loss(**data)
    assert torch.allclose(fast, plain, atol=1e-12)
    for mine, theirs in zip(ours, torch.autograd.grad(plain.sum(), list(net.parameters())), strict=True):
        assert torch.isfinite(theirs).all()
        assert torch.allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("parametrization", [Pairwise, EMBEDDED])
def test_a_replica_starts_from_its_own_seed_alone(parametrization: Any) -> None:
    among = model((4, 5, 6), parametrization=parametrization).state_dict()
    alone = model((5,), parametrization=parametrization).state_dict()
    for name, tensor in alone.items():
        assert torch.equal(tensor[0], among[name][1])
        assert not torch.equal(among[name][0], among[name][1])


def test_the_start_is_that_of_a_linear_layer_over_all_tokens() -> None:
    net = OneLayerTransformer(400, 390, 5, range(3))
    reference = nn.Linear(400, 400, bias=False).weight
    for parameter in net.parameters():
        assert float(parameter.detach().abs().max()) <= 1 / math.sqrt(400)
        assert float(parameter.detach().std()) == pytest.approx(float(reference.detach().std()), rel=0.02)


def test_orthonormal_embeddings_of_full_dimension_reach_what_the_pairwise_form_does() -> None:
    net = model(parametrization=functools.partial(Embedding, dimension=M))
    U = net.weights.U[0]
    assert torch.allclose(U @ U.T, torch.eye(M, dtype=torch.float64), atol=1e-6)
    Z, Y = net.weights()
    asked, seen = U[CONTEXT : CONTEXT + QUERIES], U[:CONTEXT]
    W_Q, W_K, W_V = (w.detach()[0, 0] for w in (net.weights.W_Q, net.weights.W_K, net.weights.W_V))
    assert torch.allclose(Z[0, 0], asked @ W_Q @ W_K.T @ seen.T / math.sqrt(M), atol=1e-12)
    assert torch.allclose(Y[0], seen @ W_V.T @ U.T, atol=1e-12)


def test_attention_of_expected_counts_is_the_limit_of_long_sequences() -> None:
    net = model((0,), positions=4001)
    share = torch.tensor([0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.02], dtype=torch.float64)
    query = torch.zeros(1, 1, dtype=torch.long)
    c = net.attention(query, 4000 * share[None, None])
    drawn = torch.multinomial(share.expand(64, -1), 4000, replacement=True, generator=torch.Generator().manual_seed(0))
    encoding, net.encoding = net.encoding, torch.zeros_like(net.encoding)
    without = net.attention(query, 4000 * share[None, None])
    assert not torch.allclose(c, without, atol=1e-6), "the query's own position acts on the logits"
    net.encoding = encoding
    logits = net.attention_logits()[0, 0, 0]
    rho = (logits @ encoding[:4000].double().T)[None]
    b = (logits[drawn] + rho).softmax(-1)
    found = torch.zeros(64, M, dtype=torch.float64).scatter_add(-1, drawn, b).mean(0)
    assert torch.allclose(found, c[0, 0, 0], atol=5e-3)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"init": "ones"}, "init"),
        ({"normalization": "batch"}, "normalization"),
        ({"heads": 0}, "heads"),
        ({"parametrization": functools.partial(Embedding, dimension=M + 1)}, "dimension"),
        ({"parametrization": EMBEDDED, "init": "zeros"}, "init"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        model(**options)
