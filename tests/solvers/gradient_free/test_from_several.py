from __future__ import annotations

import numpy as np
import pytest

from solvers.gradient_free.from_several import FromSeveral
from solvers.gradient_free.local_search import LocalSearch


@pytest.mark.parametrize(("value", "best"), [(5.0, 2), (0.5, 0)])
def test_a_method_goes_on_from_the_best_of_the_starts(value: float, best: int) -> None:
    inner = LocalSearch(1)
    method = FromSeveral(inner, [np.array([1]), np.array([2])])
    rng = np.random.default_rng(0)
    method.begin(np.array([0]), value)
    assert [point.tolist() for point in method.ask(None, rng)] == [[1], [2]]  # type: ignore[arg-type]
    again = FromSeveral(LocalSearch(1), method.starts)
    again.restore(method.memory())
    for each in (method, again):
        each.tell(method.starts, np.array([4.0, 3.0]), 0.0, rng)
        memory = each.method.memory()
        assert any(np.array_equal(part, [best]) for part in memory.values())


def test_without_starts_it_is_the_method_itself() -> None:
    inner, plain = LocalSearch(1), LocalSearch(1)
    FromSeveral(inner, []).begin(np.array([3]), 1.0)
    plain.begin(np.array([3]), 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(inner.memory().values(), plain.memory().values(), strict=True))
