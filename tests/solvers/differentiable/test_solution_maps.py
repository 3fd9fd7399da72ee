"""The lemmas and the theorem on small instances, where costs, solutions and constants are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from data.directions import Directions, DirectionSets, uniform
from runs.errors import ConfigError
from solvers.differentiable.solution_maps import Corners, costs, least_error, lipschitz, measures, solutions, value


@pytest.mark.parametrize("dimension", [2, 3, 5])
def test_costs_lead_to_the_best_point_of_the_whole_hull(dimension: int) -> None:
    rng = np.random.default_rng(0)
    y = uniform(rng, 50, dimension)
    x = Corners().solve(costs(y), None).x
    np.testing.assert_array_equal(x, solutions(y))
    corners = np.vstack([np.eye(dimension), np.ones(dimension)])
    for point in rng.dirichlet(np.ones(dimension + 1), 200) @ corners:
        assert (value(x, y) <= value(np.broadcast_to(point, y.shape), y) + 1e-12).all()


def test_costs_have_the_lipschitz_constant_one_and_solutions_none() -> None:
    for points in (4, 16, 64):
        chord = 2 * np.sin(np.pi / 4 / points)
        assert lipschitz("costs", 2, points) == pytest.approx(1)
        assert lipschitz("solutions", 2, points) == pytest.approx(np.sqrt(2) / chord)


def test_a_covering_set_makes_the_nearest_costs_as_accurate_as_the_lemma_says() -> None:
    for seen in (4, 32):
        angles = (np.arange(seen) + 0.5) * np.pi / 2 / seen
        asked = np.linspace(0, np.pi / 2, 1001)
        problem = Directions(
            "arc", np.stack([np.cos(angles), np.sin(angles)], 1), np.stack([np.cos(asked), np.sin(asked)], 1)
        )
        found = measures("costs", problem)
        assert found["largest_error"] <= least_error(seen) * (1 + 1e-9)


def test_no_set_of_as_many_neighbours_is_better_than_the_lower_bound() -> None:
    data = DirectionSets(counts=[4, 16], draws=5, asked=2000)
    data.setup()
    assert data.test_problems is not None
    for position in range(10):
        problem = data.test_problems[position][1]
        assert measures("costs", problem)["largest_error"] >= 0.95 * least_error(len(problem.seen))


def test_a_nearest_neighbour_decides_alike_by_costs_and_by_solutions_and_averages_do_not() -> None:
    data = DirectionSets(counts=[64], draws=5, asked=2000)
    data.setup()
    assert data.test_problems is not None
    pairs = [
        [measures(what, data.test_problems[i][1]) for what in ("costs", "solutions")]  # type: ignore[arg-type]
        for i in range(5)
    ]
    assert all(by_costs["optimal"] == by_solutions["optimal"] for by_costs, by_solutions in pairs)
    mean = np.mean([[found["optimal_averaged"] for found in pair] for pair in pairs], axis=0)
    assert mean[0] > mean[1]


def test_sets_are_drawn_anew_and_settings_out_of_range_are_named() -> None:
    data = DirectionSets(counts=[4], draws=2, seed=3)
    data.setup()
    assert data.test_problems is not None
    first, second = data.test_problems[0][1], data.test_problems[1][1]
    assert first.name == "2d_4_seen-0" and not np.array_equal(first.seen, second.seen)
    np.testing.assert_array_equal(first.asked, second.asked)
    for settings, message in (({"dimension": 1}, "data.dimension is 1"), ({"counts": [1]}, "data.counts is 1")):
        with pytest.raises(ConfigError, match=message):
            DirectionSets(**settings)  # type: ignore[arg-type]
