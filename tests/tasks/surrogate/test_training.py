"""A prior learns without labels, once; deployed it queries nothing, and a hybrid starts where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.problem_batches import ProblemBatches
from data.routing.grids import CorrelatedTimes
from data.routing.instances import RoutingGrids
from data.routing.problem import RoutingProblem
from data.sharding.oracles.analytical import gpu11
from data.sharding.problem import ShardingProblem
from data.sharding.table_law import law_tables
from models.cost_network import CostNetwork
from models.routing.edges import EdgeNetwork
from runs.errors import ConfigError
from runs.store.trained import file_of
from solvers.base import Budget
from solvers.differentiable.deployment import Deployment
from solvers.differentiable.descent import ZeroDescent
from solvers.differentiable.parametrisation import Sigmoid
from solvers.differentiable.rounding import Rounding
from solvers.differentiable.rules.blackbox import Blackbox
from solvers.differentiable.start import Predicted
from solvers.differentiable.surrogate import SurrogateCost
from solvers.routing.shortest_path import ShortestPath
from solvers.routing.sweep import ParametricSweep
from solvers.sharding.latency_greedy import LatencyGreedy
from solvers.sharding.relaxed import on_device
from tasks.pretrained import Pretrained
from tasks.sharding.measure import measure
from tasks.surrogate.losses import InstanceLoss, LabelLoss, SurrogateLoss
from tasks.surrogate.prediction import PredictionAccuracy
from tasks.surrogate.pretrained import PretrainedPrior
from tasks.surrogate.prior import train_prior
from tasks.surrogate.training import PriorTraining

ORACLE, SIGMOID, RULE = ShortestPath(), Sigmoid(), Blackbox(10.0, floor=0.0)
GIVEN = Budget(evaluations=5)
DEPLOYED = Deployment(ORACLE, SIGMOID)


def grids(count: int, training: bool = True) -> RoutingGrids:
    return RoutingGrids(CorrelatedTimes(), 4, 1.2, count, training=training)


def problems(count: int, training: bool = True) -> list[RoutingProblem]:
    return [grids(count, training).problem(index) for index in range(count)]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def surrogate_loss(coupling: float | str = torch.inf) -> SurrogateLoss:
    return SurrogateLoss(ORACLE, RULE, SIGMOID, coupling=coupling)


def pretrained(loss: InstanceLoss, epochs: int = 2, cache: Path | None = None) -> Pretrained:
    data = ProblemBatches(grids(6), grids(3, training=False), batch_size=2)

    def task(model: EdgeNetwork) -> PriorTraining:
        place = None if cache is None else str(cache)
        return PriorTraining(model, loss, lambda given: torch.optim.Adam(given, lr=0.01), cache=place)

    hardware = {"accelerator": "cpu", "precision": "32-true"}
    return Pretrained(EdgeNetwork((8,)), data, task, {"max_epochs": epochs}, hardware)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_gradient_of_the_surrogate_is_the_rules_through_the_parametrisation() -> None:
    (problem,) = problems(1)
    latent = torch.linspace(-1, 1, problem.variables, dtype=torch.float64, requires_grad=True)
    value = SurrogateCost(ORACLE, RULE, SIGMOID)(latent, problem)
    value.backward()
    costs = torch.sigmoid(latent).detach().numpy()[None]
    x = ORACLE.solve(costs, problem).x
    (expected,), (slopes,) = problem.query(x)
    moved = ORACLE.solve(np.maximum(costs + 10 * slopes, 0), problem).x
    assert value.item() == pytest.approx(expected)
    assert latent.grad is not None
    assert latent.grad.numpy() == pytest.approx((moved - x)[0] / 10 * (costs * (1 - costs))[0])


def test_a_prior_learns_and_counts_its_queries() -> None:
    train, test = problems(30), problems(20, training=False)
    prior = train_prior(train, EdgeNetwork(), ORACLE, RULE, parametrisation=SIGMOID, epochs=8, rate=0.005)
    assert prior.queries == 30 * 8
    reached = [
        np.mean([DEPLOYED.solve(each, budget=GIVEN, scorer=scorer, rng=rng()).objective for each in test])
        for scorer in (prior.network, EdgeNetwork())
    ]
    assert reached[0] > reached[1] + 0.01


def test_deployment_queries_nothing_and_a_hybrid_begins_with_its_path() -> None:
    (problem,) = problems(1)
    prior = EdgeNetwork()
    deployed = DEPLOYED.solve(problem, budget=GIVEN, scorer=prior, rng=rng())
    assert deployed.trace.evaluations == [0]
    assert deployed.feasible
    hybrid = ZeroDescent(ORACLE, RULE, SIGMOID, Predicted(), zero_gradients=None)
    found = hybrid.solve(problem, budget=Budget(evaluations=1), scorer=prior, rng=rng())
    assert np.array_equal(found.assignment, deployed.assignment)


def test_deployment_without_a_prior_takes_given_costs_or_says_what_is_missing() -> None:
    (problem,) = problems(1)
    found = DEPLOYED.solve(problem, budget=GIVEN, initial=problem.means, rng=rng())
    assert np.array_equal(found.assignment, ORACLE.solve(problem.means[None], problem).x[0])
    with pytest.raises(ConfigError, match="nothing predicts costs; choose a prior"):
        DEPLOYED.solve(problem, budget=GIVEN, rng=rng())


def test_a_training_is_done_once_and_the_best_validation_is_kept(tmp_path: Path) -> None:
    first = PretrainedPrior(pretrained(surrogate_loss(), cache=tmp_path / "cache"))
    network = first.prepare(tmp_path / "one")
    assert first.queries == 2 * (6 + 3)
    again = PretrainedPrior(pretrained(surrogate_loss(), cache=tmp_path / "cache"))
    assert same(again.prepare(tmp_path / "two"), network)
    assert again.queries == first.queries
    assert not (tmp_path / "two" / "pretraining").exists()
    taken = PretrainedPrior(pretrained(surrogate_loss()), str(tmp_path / "one" / file_of("prior")))
    assert same(taken.prepare(tmp_path / "three"), network)
    assert taken.queries == first.queries


@pytest.mark.parametrize("coupling", ["inf", 0.5])
def test_a_resumed_training_is_the_undisturbed_one(tmp_path: Path, coupling: float | str) -> None:
    whole = pretrained(surrogate_loss(coupling), epochs=3).network(tmp_path / "whole")
    pretrained(surrogate_loss(coupling), epochs=1).network(tmp_path / "cut")
    resumed = pretrained(surrogate_loss(coupling), epochs=3)
    assert same(resumed.network(tmp_path / "cut"), whole)
    assert resumed.task.best["queries"] == 3 * (6 + 3)


def test_with_a_coupling_the_network_follows_the_costs_of_each_instance(tmp_path: Path) -> None:
    loss = surrogate_loss(0.5)
    pretrained(loss).network(tmp_path)
    assert len(loss.free) == 6
    (problem,) = problems(1)
    own = SIGMOID.costs(loss.free[0].detach().numpy(), problem)
    x = ORACLE.solve(own[None], problem).x
    expected = problem.query(x).values[0] + 0.5 * np.linalg.norm(own - 0.5)
    assert loss(torch.zeros(24), 0, problem).item() == pytest.approx(expected)


def test_a_network_that_predicts_solutions_learns_the_labels(tmp_path: Path) -> None:
    loss = LabelLoss(ParametricSweep())
    training = pretrained(loss, epochs=1)
    training.network(tmp_path)
    label = loss.label(problems(1)[0])
    assert loss(20 * (1 - 2 * label), 0, None).item() < 1e-6
    assert loss(20 * (2 * label - 1), 0, None).item() > 10
    assert training.task.best["queries"] == 0


def test_a_softmax_over_choices_is_learned_from_whole_plans() -> None:
    task = ShardingProblem("task", law_tables(5, seed=3), np.full(5, 16), np.full(3, 10**12), gpu11())
    loss = LabelLoss(LatencyGreedy(), relax=on_device, choices=3)
    label = loss.label(task)
    assert label.reshape(5, 3).sum(1).tolist() == [1] * 5
    loss.begin([task], 0)
    assert loss(torch.zeros(15), 0, task).item() == pytest.approx(np.log(3))
    latent = torch.arange(15) / 7
    chosen = (-latent.reshape(5, 3)).log_softmax(1)[label.reshape(5, 3) == 1]
    assert loss.value(latent, task) == pytest.approx(-chosen.mean().item())
    found = LatencyGreedy().solve(task, budget=GIVEN, rng=rng())
    measured = PredictionAccuracy(LatencyGreedy(), relax=on_device, measure=measure)(task, found)
    assert measured["exact_solutions"] == 1 and measured["cost"] == found.objective


def test_a_rounded_prediction_is_measured_against_the_label_feasible_or_not() -> None:
    (problem,) = problems(1)
    label = LabelLoss(ParametricSweep()).label(problem).numpy()
    flipped = label.copy()
    flipped[0] = 1 - flipped[0]

    class Told(CostNetwork):
        def __init__(self, x: np.ndarray) -> None:
            super().__init__()
            self.x = torch.from_numpy(x)

        def encode(self, problem: RoutingProblem) -> tuple[torch.Tensor]:
            return (1 - 2 * self.x,)

        def forward(self, latent: torch.Tensor) -> torch.Tensor:
            return latent

    accuracy = PredictionAccuracy(ParametricSweep())
    right, wrong = (Rounding().solve(problem, budget=GIVEN, scorer=Told(x), rng=rng()) for x in (label, flipped))
    assert accuracy(problem, right)["exact_solutions"] == 1
    assert right.feasible
    assert not wrong.feasible
    assert accuracy(problem, wrong)["variable_accuracy"] == pytest.approx(23 / 24)


def test_a_coupling_below_0_and_no_problems_are_named() -> None:
    with pytest.raises(ConfigError, match=r"task.loss.coupling is -1"):
        surrogate_loss(-1.0)
    with pytest.raises(ConfigError, match="there are no problems to learn on"):
        train_prior([], EdgeNetwork(), ORACLE, RULE)


def test_a_network_of_another_kind_is_refused_when_it_is_taken_over(tmp_path: Path) -> None:
    pretrained(surrogate_loss(), epochs=1).network(tmp_path)
    other = pretrained(surrogate_loss())
    other.task.best_model = EdgeNetwork((4,))
    with pytest.raises(ConfigError, match="does not fit the prior of this run"):
        PretrainedPrior(other, str(tmp_path / file_of("prior"))).prepare(tmp_path / "x")
