"""A process is a rank only of a run on several devices."""

from __future__ import annotations

import pytest

from runs.environment import rank

ONE = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
FORKED = {"devices": 2, "num_nodes": 1, "strategy": "ddp_fork"}
FOUR = {"devices": 2, "num_nodes": 2, "strategy": "ddp"}
ALL = {"devices": -1, "num_nodes": 1, "strategy": "fsdp"}


@pytest.mark.parametrize(
    ("hardware", "variables", "expected"),
    [
        (None, {"LOCAL_RANK": "1"}, 0),
        (ONE, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "LOCAL_RANK": "1"}, 0),
        (FORKED, {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 0),
        (FOUR, {"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, 3),
        (FOUR, {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 0),
        (FOUR, {"LOCAL_RANK": "1"}, 1),
        (FOUR, {"LOCAL_RANK": "0", "NODE_RANK": "1"}, 1),
        (FOUR, {}, 0),
        (ALL, {"SLURM_PROCID": "1", "SLURM_NTASKS": "8"}, 1),
    ],
)
def test_the_rank(
    hardware: dict | None, variables: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert rank(hardware) == expected
