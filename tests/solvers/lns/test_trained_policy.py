"""A trained policy is found by its run or its key; everything else is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.graphs.gin import GIN
from models.ilp.actor_critic import Actor
from models.ilp.policy import NeighborhoodPolicy
from runs.build import build
from runs.errors import ConfigError
from runs.store.cache import ArtifactCache
from runs.store.trained import Trained, file_of
from solvers.lns.scorers.trained import POLICY, TrainedPolicy, trained_actor
from tests.composition import composed

FILE = file_of(POLICY)
SETTINGS = {"model": "policy"}


def network(backbone=None, **settings) -> NeighborhoodPolicy:
    torch.manual_seed(1)
    return NeighborhoodPolicy(backbone or GAT(), **settings)


def stored(run: Path, policy: NeighborhoodPolicy) -> str:
    path = run / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(Trained(policy.state_dict(), {"validation_loss": 1.5}).to_bytes())
    return str(run)


def assert_same(one: NeighborhoodPolicy, other: NeighborhoodPolicy) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours if key != "_extra_state")


@pytest.mark.parametrize(
    ("backbone", "settings"),
    [
        (GAT(), {}),
        (GAT(heads="sliced"), {"feature_set": "gasse"}),
        (GCN(32), {"width": 32, "window": 1}),
        (GIN(), {}),
    ],
    ids=["gat", "sliced", "gcn", "gin"],
)
def test_the_checkpoint_says_how_the_network_is_built(tmp_path, backbone, settings):
    policy = network(backbone, **settings)
    scorer = TrainedPolicy(run=stored(tmp_path / "run", policy))
    assert_same(scorer.policy, policy)
    assert scorer.policy.get_extra_state() == policy.get_extra_state()
    assert not any(parameter.requires_grad for parameter in scorer.parameters())


class Mine(torch.nn.Module):
    """A backbone that no file of the project names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, width)

    def forward(self, v, c, edge_index, e):
        return self.linear(v)


MINE = {
    "_target_": "models.ilp.policy.NeighborhoodPolicy",
    "width": 16,
    "backbone": {"_target_": f"{__name__}.Mine", "width": 16},
}


def test_a_configuration_beside_the_weights_brings_any_backbone(tmp_path, monkeypatch):
    policy = network(Mine(16), width=16)
    path = tmp_path / "elsewhere.pt"
    path.write_bytes(Trained(policy.state_dict(), model=MINE).to_bytes())
    with pytest.raises(
        ConfigError, match=r"model\.backbone\._target_ .*test_trained_policy\.Mine.* REPRISE_TRUSTED=tests"
    ):
        TrainedPolicy(run=str(path))
    monkeypatch.setenv("REPRISE_TRUSTED", "tests")
    assert_same(TrainedPolicy(run=str(path)).policy, policy)


def test_the_command_line_names_a_row_of_a_sweep(tmp_path):
    sweep = tmp_path / "a sweep"
    for seed in (0, 1):
        stored(sweep / f"run{seed}", network(window=seed))
        (sweep / f"run{seed}" / "config.yaml").write_text(f"{{method: cl_lns, seed: {seed}, model: null}}")
    checkpoint = f"checkpoint={{sweep:'{sweep}',method:cl_lns,seed:${{seed}}}}"
    cfg = composed("experiment=cl_lns/apply", "lns/method=trained", "data.path=x", "seed=1", checkpoint)
    scorer = build(cfg.solver.destroy, "scorer")
    assert isinstance(scorer, TrainedPolicy) and scorer.policy.window == 1


def test_a_policy_of_rl_lns_is_another_scorers(tmp_path):
    path = tmp_path / "policy.pt"
    actor_critic = {"_target_": "models.ilp.actor_critic.ActorCritic", "width": 8}
    path.write_bytes(Trained(Actor(width=8).state_dict(), model=actor_critic).to_bytes())
    assert isinstance(trained_actor(str(path)).actor, Actor)
    with pytest.raises(
        ConfigError, match=r"holds a Actor, no policy of imitation learning; .* solver/scorer=trained_rl"
    ):
        TrainedPolicy(run=str(path))
    path.write_bytes(Trained(network().state_dict()).to_bytes())
    with pytest.raises(ConfigError, match="holds no policy of RL-LNS"):
        trained_actor(str(path))


def test_a_file_and_a_key_lead_to_the_same_policy(tmp_path):
    policy = network()
    run = Path(stored(tmp_path / "run", policy))
    artifacts = ArtifactCache(tmp_path / "cache").collection(POLICY, SETTINGS)
    with artifacts.claim(POLICY):
        artifacts.put(POLICY, (run / FILE).read_bytes())
    assert_same(TrainedPolicy(run=str(run / FILE)).policy, policy)
    assert_same(TrainedPolicy(key=artifacts.folder.name, cache=str(tmp_path / "cache")).policy, policy)


def test_a_backbone_of_ones_own_is_given_with_the_policy(tmp_path):
    class Nothing(torch.nn.Module):
        def forward(self, v, c, edge_index, e):
            return v

    run = stored(tmp_path / "run", network(Nothing()))
    with pytest.raises(ConfigError, match=r"backbone is Nothing\(\), none of GAT.*give scorer.policy"):
        TrainedPolicy(run=run)
    assert_same(TrainedPolicy(run=run, policy=network(Nothing())).policy, network(Nothing()))


def test_another_form_is_refused_by_naming_both(tmp_path):
    run = stored(tmp_path / "run", network())
    with pytest.raises(ConfigError, match="has feature_set gasse_khalil, this one gasse"):
        TrainedPolicy(run=run, policy=network(feature_set="gasse"))


@pytest.mark.parametrize("arguments", [{}, {"run": "a", "key": "b"}])
def test_exactly_one_source_is_asked_for(arguments):
    with pytest.raises(ConfigError, match="set exactly one of them"):
        TrainedPolicy(**arguments)


def test_what_is_not_there_or_not_whole_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read .*; give the folder of a finished run"):
        TrainedPolicy(run=str(tmp_path))
    with pytest.raises(ConfigError, match="holds no whole policy abc"):
        TrainedPolicy(key="abc", cache=str(tmp_path))
    with pytest.raises(ConfigError, match=r"set it to paths\.cache"):
        TrainedPolicy(key="abc")
    path = Path(stored(tmp_path / "run", network())) / FILE
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ConfigError, match="is no checkpoint that can be read"):
        TrainedPolicy(run=str(path))
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ConfigError, match="holds no policy of imitation learning"):
        TrainedPolicy(run=str(path))


def test_no_pickle_is_opened(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "policy.pt"
    torch.save({"policy": Harmful(), "validation": {}}, path)
    with pytest.raises(ConfigError, match="is no checkpoint"):
        TrainedPolicy(run=str(path))
    assert not (tmp_path / "ran").exists()
