"""What was seen last is kept, and drawn evenly."""

from __future__ import annotations

import numpy as np

from solvers.policy_gradient.replay import Replay


def test_the_oldest_give_way() -> None:
    replay = Replay(3)
    for number in range(5):
        replay.add(np.full(2, number), float(number))
    assert len(replay) == 3
    rows, numbers = replay.draw(400, np.random.default_rng(0))
    assert set(numbers) == {2.0, 3.0, 4.0}
    assert (rows == numbers[:, None]).all()


def test_without_a_capacity_all_are_kept() -> None:
    replay = Replay()
    for number in range(50):
        replay.add(number)
    (drawn,) = replay.draw(2000, np.random.default_rng(0))
    assert set(drawn) == set(range(50))
