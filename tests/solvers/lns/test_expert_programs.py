"""The data module of the learned policies: collect, split by instance, batch, share out, refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.ilp.expert.module import ExpertPrograms
from data.ilp.features.dynamic import dynamic_features
from data.ilp.features.static import static_features
from data.ilp.problem import ILP
from data.ilp.state_batch import StateBatch
from runs.errors import ConfigError
from solvers.base import Solution
from solvers.lns.expert import Perturbation
from solvers.lns.local_branching_lp import LocalBranchingLP
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs
from solvers.milp.root_features import root_features
from tests.solvers.lns.experts import SETTINGS, auctions, expert


def data(cache: Path, count: int = 4, collector: Any = None, **settings: Any) -> ExpertPrograms:
    settings = {"validation_share": 0.25, "batch_size": 4, "settings": json.dumps(SETTINGS)} | settings
    return ExpertPrograms(auctions(count), auctions(2), collector or expert(), cache=str(cache), **settings)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the records and features of four instances."""
    folder = tmp_path_factory.mktemp("cache")
    data(folder).setup("fit")
    return folder


@pytest.fixture
def ready(cache: Path) -> ExpertPrograms:
    module = data(cache)
    module.setup("fit")
    return module


def test_validation_takes_the_first_instances_and_training_the_others(ready: ExpertPrograms) -> None:
    assert ready.validation_states is not None and ready.train_states is not None
    assert {item for item, _ in ready.validation_states.states} == {"00000"}
    assert {item for item, _ in ready.train_states.states} <= {"00001", "00002", "00003"}


def test_a_state_holds_features_of_the_incumbents_before_the_step_and_labels_of_the_step(
    ready: ExpertPrograms,
) -> None:
    states = ready.train_states
    assert states is not None
    for position, (item, step) in enumerate(states.states):
        state, record = states[position], ready.records.record(item)
        assert record is not None
        problem = ready.train.test_problems[ready.records.items[item]][1].to_min()  # type: ignore[index]
        static = static_features(problem, record.lp)
        incumbents = [earlier.incumbent for earlier in record.steps[: step + 1]][::-1]
        np.testing.assert_array_equal(state.variables[:, :95], static.variables)
        np.testing.assert_array_equal(state.variables[:, 95:], dynamic_features(incumbents[:3]))
        np.testing.assert_array_equal(state.rows, static.rows)
        np.testing.assert_array_equal(state.edge_index, static.graph.edge_index)
        np.testing.assert_array_equal(state.edges, static.edges)
        assert state.positive[0] and not state.positive[-1]
        best = state.member[state.set_of_member == 0]
        following = record.steps[step + 1].incumbent if step + 1 < len(record.steps) else record.incumbent
        assert set(np.flatnonzero(record.steps[step].incumbent != following)) <= set(best)


def test_rows_of_the_root_lp_are_the_row_nodes_in_training_and_in_the_search(tmp_path: Path) -> None:
    pytest.importorskip("pyscipopt")
    settings = {"settings": json.dumps(SETTINGS | {"rows": "lp"}), "validation_share": 0.5}
    module = data(tmp_path, 2, expert(lp_rows="lp"), **settings)
    module.setup("fit")
    assert module.train_states is not None
    item, _ = module.train_states.states[0]
    problem = module.train.test_problems[module.records.items[item]][1].to_min()  # type: ignore[index]
    searched = root_features(problem, rows="lp")
    state = module.train_states[0]
    np.testing.assert_array_equal(state.rows, searched.rows)
    np.testing.assert_array_equal(state.edge_index, searched.graph.edge_index)
    np.testing.assert_array_equal(state.variables[:, :95], searched.variables)
    assert 3 in state.rows[:, 3], "a cut is a row"


def test_batches_hold_every_state_once_an_epoch_and_move_as_a_whole(ready: ExpertPrograms) -> None:
    batches = list(ready.train_dataloader())
    assert all(isinstance(batch, StateBatch) for batch in batches)
    assert ready.train_states is not None
    assert sum(batch.graphs for batch in batches) == len(ready.train_states)
    moved = ready.transfer_batch_to_device(batches[0], torch.device("cpu"), 0)
    assert moved.sets.member.max() < len(moved.variables)
    assert ready.transfer_batch_to_device((0, "problem"), torch.device("cpu"), 0) == (0, "problem")


def test_a_resumed_epoch_goes_on_with_the_same_batches(cache: Path) -> None:
    loaders = []
    for _ in range(2):
        module = data(cache, batch_size=2)
        module.setup("fit")
        loaders.append(module.train_dataloader())
    whole = list(loaders[0])
    loaders[1].load_state_dict({"batches": 1})  # type: ignore[union-attr]
    rest = list(loaders[1])
    assert len(whole) >= 2 and len(rest) == len(whole) - 1
    for ours, theirs in zip(rest, whole[1:], strict=True):
        assert torch.equal(ours.variables, theirs.variables)
        assert torch.equal(ours.sets.member, theirs.sets.member)


def test_the_test_set_is_another_one_and_gives_name_and_size(cache: Path) -> None:
    module = data(cache)
    module.test.optimum = {"auctions-0001": 5.0}
    module.setup("test")
    assert module.train_states is None, "a run that only tests reads no records"
    assert [index for index, _ in module.test_dataloader()] == [0, 1]
    assert (module.name, module.neighborhood_size) == ("auctions", None)
    assert module.problem_optimum("auctions-0001") == 5.0
    assert data(cache, name="other", neighborhood_size=7).neighborhood_size == 7


def test_other_shares_need_no_new_collection(cache: Path) -> None:
    class Absent:
        def records(self, *ignored: Any) -> Any:
            pytest.fail("collected again")

    module = data(cache, collector=Absent(), positive_share=0.9, negative_share=0.0, negatives_per_positive=1)
    module.setup("fit")
    assert module.train_states is not None
    for state in module.train_states:
        assert state.gain[state.positive].min() >= 0.9 * state.gain.max()
        assert state.gain[~state.positive].max() == 0
        assert (~state.positive).sum() <= state.positive.sum()


def test_damaged_features_are_made_again_from_the_record(tmp_path: Path) -> None:
    data(tmp_path, count=2, validation_share=0.5).setup("fit")
    artifact = next((tmp_path / "expert_features").glob("*/00000.artifact"))
    before = artifact.read_bytes()
    artifact.write_bytes(before[:-10])
    data(tmp_path, count=2, validation_share=0.5).setup("fit")
    assert artifact.read_bytes() == before


def test_relaxations_reach_the_features_where_they_were_collected(tmp_path: Path) -> None:
    collector = expert(relaxation=LocalBranchingLP(), steps=2)
    module = data(tmp_path, 2, collector, validation_share=0.5, feature_set="gasse_khalil_lb_relax")
    module.setup("fit")
    assert module.train_states is not None
    item, step = module.train_states.states[0]
    record = module.records.record(item)
    assert record is not None
    np.testing.assert_array_equal(module.train_states[0].variables[:, 97], np.float32(record.steps[step].relaxation))


def test_relaxations_that_were_not_collected_are_asked_for(cache: Path) -> None:
    module = data(cache, feature_set="gasse_khalil_lb_relax")
    with pytest.raises(ConfigError, match=r"collected without LP relaxations; set data.collector.relaxation"):
        module.setup("fit")


def test_a_narrower_window_hides_earlier_incumbents(cache: Path) -> None:
    module = data(cache, window=1)
    module.setup("fit")
    assert module.train_states is not None
    assert all((state.variables[:, 98:] == 0).all() for state in module.train_states)


def test_states_without_bad_sets_are_warned_of_and_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sets of at most six members have no copy with five exchanged."""
    module = data(tmp_path, 2, expert(perturbation=Perturbation(step=5), steps=1), validation_share=0.5)
    with pytest.raises(ConfigError, match="none of the 1 validation instances has a state with good and bad sets"):
        module.setup("fit")
    assert "100 % of the states have no bad set" in caplog.text


def test_first_incumbents_that_are_optimal_within_k_are_refused_and_not_tried_again(tmp_path: Path) -> None:
    """From the optimum there is nothing to learn."""
    optimal = expert(start=Highs())
    for collector in (optimal, None):
        with pytest.raises(
            ConfigError, match=r"\(2 of 2 instances\), which is LB-optimal for k; raise .*collector.size"
        ):
            data(tmp_path, 2, collector, validation_share=0.5).setup("fit")


def test_one_first_incumbent_that_is_optimal_within_k_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Start:
        """Optimal on the first instance, greedy on the other."""

        def solve(self, problem: ILP, **options: Any) -> Solution:
            return (Highs() if problem.name.endswith("0") else Greedy()).solve(problem, **options)

    data(tmp_path, 2, expert(start=Start())).collect_records()
    assert "does not improve the first incumbent of auctions-0000 (1 of 2 instances)" in caplog.text


def test_missing_records_are_refused_where_nothing_is_to_be_collected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.collect is false, but 4 of 4 records are missing"):
        data(tmp_path, collect=False).setup("fit")


@pytest.mark.parametrize("share", [0.05, 0.95])
def test_an_empty_split_is_refused(cache: Path, share: float) -> None:
    with pytest.raises(ConfigError, match=f"data.validation_share is {share} of 4 instances"):
        data(cache, validation_share=share).setup("fit")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "data.batch_size is 0"),
        ({"validation_share": 0}, "data.validation_share is 0"),
        ({"window": 4}, "data.window is 4"),
    ],
)
def test_a_setting_outside_its_range_is_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        data(tmp_path, **settings)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_training_batches_and_validation_states(
    cache: Path, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.ilp.expert.module.place", lambda: (1, 0))
    module = data(cache, batch_size=6, validation_share=0.5)
    module.setup("fit")
    whole = [batch.graphs for batch in module.train_dataloader()]
    validation = sum(batch.graphs for batch in module.val_dataloader())
    parts, seen = [], 0
    for rank in range(ranks):
        monkeypatch.setattr("data.ilp.expert.module.place", lambda rank=rank: (ranks, rank))
        parts.append([batch.graphs for batch in module.train_dataloader()])
        seen += sum(batch.graphs for batch in module.val_dataloader())
    assert [sum(step) for step in zip(*parts, strict=True)] == whole
    assert seen == validation
    monkeypatch.setattr("data.ilp.expert.module.place", lambda: (4, 0))
    with pytest.raises(ConfigError, match=r"data.batch_size is 6, which 4 processes cannot share"):
        module.train_dataloader()
    monkeypatch.setattr("data.ilp.expert.module.place", lambda: (100, 0))
    with pytest.raises(ConfigError, match="validation states for 100 processes"):
        module.val_dataloader()
