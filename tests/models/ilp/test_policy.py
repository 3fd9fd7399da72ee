"""The policy: size, invariances, normalisation, the cached path and what its checkpoints refuse."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data.ilp.state_batch import StateBatch, collate
from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.graphs.gin import GIN
from models.graphs.prenorm import Prenorm
from models.ilp.policy import NeighborhoodPolicy, load_weights
from runs.errors import ConfigError
from tests.models.ilp.states import random_state

BACKBONES = {"gat": GAT, "gcn": GCN, "gin": GIN}


def policy_of(backbone: str = "gat", **options: Any) -> NeighborhoodPolicy:
    torch.manual_seed(0)
    policy = NeighborhoodPolicy(BACKBONES[backbone](), **options)
    policy.fit_normalization([collate([random_state(seed) for seed in range(20, 24)])])
    return policy


def logits(policy: NeighborhoodPolicy, batch: StateBatch) -> torch.Tensor:
    return policy(batch.variables, batch.rows, batch.edge_index, batch.edges)


def test_the_papers_policy_has_its_number_of_parameters() -> None:
    assert sum(p.numel() for p in NeighborhoodPolicy(GAT()).parameters()) == 62_016


def test_matrices_start_orthogonal_and_biases_normal() -> None:
    policy = policy_of()

    for module in policy.modules():
        if isinstance(module, nn.Linear):
            shorter = module.weight if module.weight.shape[0] <= module.weight.shape[1] else module.weight.T
            torch.testing.assert_close(shorter @ shorter.T, torch.eye(len(shorter)), atol=1e-5, rtol=0)
    biases = torch.cat([value for name, value in policy.named_parameters() if name.endswith("bias")])
    assert 0.9 < float(biases.detach().std()) < 1.1
    default = policy_of(init="default")
    assert float(default.variable_input.weight.detach().abs().max()) <= 104**-0.5


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_batch_of_graphs_is_scored_as_one_by_one(backbone: str) -> None:
    policy = policy_of(backbone)
    states = [random_state(seed, 8 + seed, 6) for seed in range(3)]

    together = logits(policy, collate(states))

    alone = torch.cat([logits(policy, collate([state])) for state in states])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_renaming_variables_renames_scores() -> None:
    policy, state, rng = policy_of(), random_state(1), np.random.default_rng(0)
    order = rng.permutation(len(state.variables))
    before = logits(policy, collate([state]))
    renamed = random_state(1)
    renamed.variables = state.variables[order]
    renamed.edge_index = np.stack([state.edge_index[0], np.argsort(order)[state.edge_index[1]]])

    torch.testing.assert_close(logits(policy, collate([renamed])), before[order])


def test_normalisation_is_mean_and_deviation_of_all_nodes_and_passes_the_global_lower_bound() -> None:
    policy = NeighborhoodPolicy(GAT())
    batches = [collate([random_state(seed, 9 + seed, 5)]) for seed in range(3)]

    policy.fit_normalization(batches)

    variables = torch.cat([batch.variables for batch in batches]).double()
    normalized = policy.variable_norm(policy._seen(variables.float())).double()
    varying = policy.visible & (variables.std(0) > 0)
    torch.testing.assert_close(
        normalized[:, varying].mean(0), torch.zeros(int(varying.sum())).double(), atol=1e-5, rtol=0
    )
    deviation = normalized[:, varying].std(0, unbiased=False)
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-4, rtol=0)
    assert (normalized[:, 2] == 0.5).all()  # passed as it is
    assert (
        normalized[:, [7, 40]].abs() < 1e-6
    ).all()  # constant columns: divided by 1, also .1, which binary cannot hold
    rows = torch.cat([batch.rows for batch in batches])
    torch.testing.assert_close(policy.row_norm.mean, rows.mean(0), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(policy.row_norm.std, rows.std(0, unbiased=False), atol=1e-6, rtol=1e-5)


def test_cutting_the_training_set_into_other_batches_gives_the_same_normalisation() -> None:
    states = [random_state(seed, 7 + seed, 5) for seed in range(4)]
    one, four = NeighborhoodPolicy(GAT()), NeighborhoodPolicy(GAT())

    one.fit_normalization([collate(states)])
    four.fit_normalization([collate([state]) for state in states])

    torch.testing.assert_close(four.variable_norm.mean, one.variable_norm.mean)
    torch.testing.assert_close(four.variable_norm.std, one.variable_norm.std)


def test_each_prenorm_of_the_gcn_gives_unit_deviation_on_the_training_set() -> None:
    policy = policy_of("gcn")
    seen: dict[str, torch.Tensor] = {}
    for name, module in policy.backbone.named_modules():
        if isinstance(module, Prenorm):
            module.register_forward_hook(lambda _, __, output, name=name: seen.__setitem__(name, output.clone()))

    logits(policy, collate([random_state(seed) for seed in range(20, 24)]))

    assert list(seen) == [
        f"{half}.{norm}" for half in ("to_rows", "to_variables") for norm in ("message_norm", "sum_norm")
    ]
    for output in seen.values():
        deviation = output.std(0, unbiased=False)
        torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        ({"feature_set": "gasse"}, slice(23, 95)),
        ({"feature_set": "gasse_khalil"}, slice(97, 104, 3)),
        ({"window": 1}, slice(98, 104)),
        ({"window": 0}, slice(95, 104)),
    ],
)
def test_columns_outside_the_feature_set_and_the_window_are_not_seen(options: dict[str, Any], hidden: slice) -> None:
    policy, batch = policy_of(**options), collate([random_state(3)])
    before = logits(policy, batch)
    columns = torch.zeros(104, dtype=torch.bool)
    columns[hidden] = True

    batch.variables[:, columns] = 1e6
    assert torch.equal(logits(policy, batch), before)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("feature_set", ["gasse", "gasse_khalil_lb_relax"])
def test_the_cached_path_scores_as_the_whole_network(backbone: str, feature_set: str) -> None:
    policy, batch = policy_of(backbone, feature_set=feature_set), collate([random_state(4)])

    encoded = policy.encode_static(batch.variables[:, :95], batch.rows, batch.edge_index, batch.edges)

    for seed in range(2):
        batch.variables[:, 95:] = torch.randn(len(batch.variables), 9, generator=torch.Generator().manual_seed(seed))
        score = policy.score(encoded, batch.variables[:, 95:])
        torch.testing.assert_close(score, logits(policy, batch).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_search_ranks_by_full_precision_under_autocast(backbone: str) -> None:
    policy, batch = policy_of(backbone), collate([random_state(4)])

    def scores() -> torch.Tensor:
        encoded = policy.encode_static(batch.variables[:, :95], batch.rows, batch.edge_index, batch.edges)
        return policy.score(encoded, batch.variables[:, 95:])

    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = scores()
    assert torch.equal(under_autocast, scores())


def test_the_share_of_foreign_inputs_is_that_of_values_beyond_five_deviations() -> None:
    policy, batch = policy_of(), collate([random_state(21)])
    batch.rows[:] = policy.row_norm.mean
    batch.edges[:] = policy.edge_norm.mean
    batch.variables[:] = policy.variable_norm.mean
    batch.variables[0, :2] += 6 * policy.variable_norm.std[:2]
    visible = int(policy.visible.sum())

    total = visible * len(batch.variables) + batch.rows.numel() + batch.edges.numel()
    assert policy.share_beyond(batch) == pytest.approx(2 / total)


def test_a_made_up_backbone_fits_in() -> None:
    class Means(nn.Module):
        def forward(self, v: Any, c: Any, edge_index: Any, e: Any) -> Any:
            return v + c.mean() + e.mean()

    batch = collate([random_state(5)])

    assert logits(NeighborhoodPolicy(Means()), batch).shape == (12,)


def stored(policy: NeighborhoodPolicy) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(policy.state_dict(), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def test_a_checkpoint_restores_weights_and_normalisation() -> None:
    trained, batch = policy_of(feature_set="gasse"), collate([random_state(6)])
    fresh = NeighborhoodPolicy(GAT(), feature_set="gasse")

    load_weights(fresh, stored(trained), "run")

    assert torch.equal(logits(fresh, batch), logits(trained, batch))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeighborhoodPolicy(GAT(), feature_set="gasse"), "feature_set gasse_khalil, this one gasse"),
        (lambda: NeighborhoodPolicy(GAT(), window=1), "window 3, this one 1"),
        (lambda: NeighborhoodPolicy(GAT(32), width=32), "width 64, this one 32"),
        (lambda: NeighborhoodPolicy(GIN()), r"backbone GAT\(.*\), this one GIN\(\)"),
        (lambda: NeighborhoodPolicy(GAT(heads="sliced")), r"GAT\(heads=aligned, .*\), this one GAT\(heads=sliced"),
        (lambda: NeighborhoodPolicy(GAT(number_of_heads=4)), "size mismatch for backbone.to_rows.attention"),
    ],
)
def test_a_checkpoint_of_another_policy_is_refused_by_naming_both(make: Any, message: str) -> None:
    state = stored(policy_of())

    with pytest.raises(ConfigError, match=message) as caught:
        load_weights(make(), state, "outputs/run/last.ckpt")
    assert str(caught.value).startswith("outputs/run/last.ckpt: ")


def test_a_checkpoint_of_another_normalisation_is_refused() -> None:
    state = stored(policy_of())
    state["_extra_state"]["normalization"] = {"variable_norm": 95}

    with pytest.raises(ConfigError, match=r"normalization \{'variable_norm': 95\}, this one \{'variable_norm': 104"):
        load_weights(NeighborhoodPolicy(GAT()), state, "file")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_set": "gase"}, "did you mean 'gasse'"),
        ({"window": 4}, "model.window is 4; it must be 0 to 3"),
        ({"init": "zeros"}, "choose orthogonal or default"),
    ],
)
def test_unknown_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NeighborhoodPolicy(GAT(), **options)
