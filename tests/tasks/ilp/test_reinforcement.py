"""Training of RL-LNS: cycles, the best policy, resume, two processes (docs/papers/cl_lns.md#7.2)."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, Subset

from data.ilp.generators.ca import CombinatorialAuction
from data.ilp.instances import IntegerPrograms
from data.ilp.problem import ILP
from models.ilp.actor_critic import ActorCritic
from runs.anytime import Trace
from runs.errors import ConfigError, InvalidProblem
from runs.store.trained import Trained, file_of
from solvers.base import Solution, Status
from solvers.lns.destroy.scored import Scored
from solvers.lns.engine import LargeNeighborhoodSearch
from solvers.lns.rollout import RolloutSchedule
from solvers.lns.scorers.trained import POLICY, trained_actor
from solvers.lns.start import Greedy
from solvers.milp.highs import Highs
from tasks.ilp.reinforcement import ReinforcementLearning

pytest.importorskip("highspy")
FILE = file_of(POLICY)


class Auctions(lightning.LightningDataModule):
    """Cycles of two training auctions, one to validate on."""

    name = "auctions"

    def __init__(self) -> None:
        super().__init__()
        self.programs = IntegerPrograms(generator=CombinatorialAuction(items=15, bids=30), count=5, name="auctions")
        self.programs.setup()

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Subset(self.programs.test_problems, range(1, 5)), batch_size=2, collate_fn=list)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(Subset(self.programs.test_problems, [0]), batch_size=None, collate_fn=lambda item: item)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch


def task(**settings: Any) -> ReinforcementLearning:
    torch.manual_seed(0)
    schedule = RolloutSchedule(
        steps=4, side_by_side=2, updates=2, batch_size=4, memory=9, learning_rate=1e-3, seconds=None, nodes=5
    )
    start = settings.pop("start", Greedy())
    solver = LargeNeighborhoodSearch(Scored(select="bernoulli"), Highs(), start=start)
    arguments = {"budget": {"evaluations": 3}, "seed": 0, "rollouts": schedule} | settings
    return ReinforcementLearning(ActorCritic(width=8), solver, **arguments)


def trainer(folder: Path, **settings: Any) -> lightning.Trainer:
    options = {
        "accelerator": "cpu",
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
        "use_distributed_sampler": False,
    }
    return lightning.Trainer(**(options | settings))


def weights(of: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(of.parameters()).detach()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ReinforcementLearning:
    learned = task()
    trainer(tmp_path_factory.mktemp("trained")).fit(learned, datamodule=Auctions())
    return learned


def test_training_moves_both_networks_and_the_slow_critic(trained: ReinforcementLearning) -> None:
    fresh = task()
    for name in ("actor", "critic", "target_critic"):
        assert not torch.equal(weights(getattr(trained.networks, name)), weights(getattr(fresh.networks, name)))
    assert int(trained.cycles) == 4
    assert len(trained.memory) == 9
    assert torch.isfinite(trained.best_gain)


def test_only_the_networks_are_trained(trained: ReinforcementLearning) -> None:
    assert not any(p.requires_grad for p in trained.kept.parameters())
    assert any(p.requires_grad for p in trained.networks.parameters())


def test_the_policy_that_gains_most_is_kept() -> None:
    learned = task()
    kept = []
    for gain in (1.0, 3.0, 2.0):
        with torch.no_grad():
            for parameter in learned.networks.actor.parameters():
                parameter.add_(0.01)
        learned.gained.update(gain)
        learned.log = lambda *arguments, **options: None  # type: ignore[method-assign, assignment]
        learned.on_validation_epoch_end()
        kept.append(weights(learned.networks.actor).clone())
    assert torch.equal(weights(learned.kept), kept[1])
    assert float(learned.best_gain) == 3.0


def test_a_resumed_training_ends_as_an_undisturbed_one(trained: ReinforcementLearning, tmp_path: Path) -> None:
    first = trainer(tmp_path, max_epochs=1)
    first.fit(task(), datamodule=Auctions())
    first.save_checkpoint(tmp_path / "first.ckpt")
    resumed = task()
    trainer(tmp_path).fit(resumed, datamodule=Auctions(), ckpt_path=tmp_path / "first.ckpt", weights_only=True)
    assert torch.equal(weights(resumed.networks), weights(trained.networks))
    assert torch.equal(weights(resumed.kept), weights(trained.kept))
    assert torch.equal(resumed.best_gain, trained.best_gain)


def test_two_processes_learn_what_one_does(trained: ReinforcementLearning, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [context.Process(target=_rank, args=(rank, port, tmp_path)) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(200)
    assert [process.exitcode for process in ranks] == [0, 0]
    for rank in range(2):
        learned = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(learned, weights(trained.networks), rtol=1e-5, atol=1e-6)


def _rank(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "NODE_RANK": str(rank)}
    os.environ["LOCAL_RANK"] = "0"
    learned = task()
    process = trainer(folder, devices=1, num_nodes=2, strategy="ddp")
    process.fit(learned, datamodule=Auctions())
    torch.save(weights(learned.networks), folder / f"{rank}.pt")


def test_a_search_draws_from_the_kept_policy(trained: ReinforcementLearning) -> None:
    _, problem = Auctions().programs.test_problems[4]  # type: ignore[index]
    solution = trained.solver.solve(
        problem, budget=trained.budget, scorer=trained.model, rng=np.random.default_rng(0)
    )  # fmt: skip
    assert solution.feasible
    share = solution.log["free"] / problem.n
    assert (share > 0.1).all()
    assert (share < 0.9).all()


class NoStart:
    def solve(self, problem: ILP, **options: Any) -> Solution:
        return Solution(None, np.nan, False, Status.NO_SOLUTION, Trace())


def test_an_instance_without_initial_solution_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidProblem, match=r"auctions-000.: no initial solution to roll out from"):
        trainer(tmp_path).fit(task(start=NoStart()), datamodule=Auctions())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": None}, "lns.start is null"),
        ({"discount": 1.5}, "task.discount is 1.5"),
        ({"tracking": -1}, "tracking"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(**settings)


def test_the_kept_policy_is_read_back_from_the_runs_folder(trained: ReinforcementLearning, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / FILE).write_bytes(trained.trained().to_bytes())
    for place in (tmp_path, tmp_path / FILE):
        assert torch.equal(weights(trained_actor(str(place))), weights(trained.kept))


def test_a_file_that_holds_no_such_policy_is_refused_with_its_path(
    trained: ReinforcementLearning, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="give the folder of a finished run of RL-LNS"):
        trained_actor(str(tmp_path / "absent"))
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"policy\.pt is no checkpoint that can be read"):
        trained_actor(str(tmp_path))
    path.write_bytes(Trained({"head.weight": torch.ones(1)}, {}).to_bytes())
    with pytest.raises(ConfigError, match="holds no policy of RL-LNS"):
        trained_actor(str(tmp_path))
    path.write_bytes(Trained({"encoder.embed.weight": torch.ones(8, 22)}, {}).to_bytes())
    with pytest.raises(ConfigError, match="has width 8 and 22 features, this network width 8 and 18"):
        trained_actor(str(tmp_path))
    with pytest.raises(ConfigError, match=r"scorer\.run is null"):
        trained_actor(None)


def test_a_policy_is_trained_once_for_the_same_settings(trained: ReinforcementLearning, tmp_path: Path) -> None:
    settings = {"cache": str(tmp_path / "cache"), "settings": '{"a": 1}'}
    first = task(**settings)
    trainer(tmp_path).fit(first, datamodule=Auctions())
    assert torch.equal(weights(first.kept), weights(trained.kept))
    second = task(**settings)
    assert torch.equal(weights(second.kept), weights(first.kept))
    assert torch.equal(second.best_gain, first.best_gain)
    assert not any(p.requires_grad for p in second.parameters())
    assert any(p.requires_grad for p in task(**(settings | {"settings": '{"a": 2}'})).parameters())
