"""The policy that a run of imitation learning kept, from its folder or from the artifact cache."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from models.graphs.gat import GAT
from models.graphs.gcn import GCN
from models.graphs.gin import GIN
from models.ilp.policy import NeighborhoodPolicy, load_weights
from runs.errors import ConfigError
from runs.store.cache import ArtifactCache
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.policy import PolicyScorer
from solvers.milp.root_features import RowKind

FILE = Path("checkpoints") / "policy.pt"
"""Where a run keeps the policy it searched with."""

BACKBONES: dict[str, Callable[[int], nn.Module]] = {
    "GAT(heads=aligned, negative_slope=0.2)": GAT,
    "GAT(heads=sliced, negative_slope=0.2)": functools.partial(GAT, heads="sliced"),
    "GCN()": GCN,
    "GIN()": GIN,
}
"""By what a checkpoint calls them; made from their width, else with the defaults."""

COLLECTION = "policy"
"""Name of the trained policies' collection in the artifact cache, and of the item in it."""


class Trained(NamedTuple):
    """What training leaves: the policy's ``state_dict`` and what it reached on the validation states."""

    weights: Mapping[str, Any]
    validation: Mapping[str, float]

    def to_bytes(self) -> bytes:
        """As a file that torch reads with ``weights_only``."""
        buffer = io.BytesIO()
        torch.save({"policy": dict(self.weights), "validation": dict(self.validation)}, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, payload: bytes, source: str) -> Trained:
        """Inverse of :meth:`to_bytes`; no pickle is ever opened.

        Raises
        ------
        ConfigError
            It is no such file; names ``source``.
        """
        try:
            content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        except Exception as error:  # torch has no family of its own for damaged files
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"{source} is no checkpoint that can be read: {reason}") from error
        if not isinstance(content, dict) or content.keys() != {"policy", "validation"}:
            raise ConfigError(f"{source} holds no policy of imitation learning; give a run of task=ilp/imitation")
        return cls(content["policy"], content["validation"])


class TrainedPolicy(PolicyScorer):
    """The scorer of a trained policy, for ``solver.destroy.scorer=``.

    Parameters
    ----------
    run
        Folder of the run that trained it or searched with it, or its file ``policy.pt``.
    key, cache
        Its key in the artifact cache (named in that run's log), and the folder of that cache.
    policy
        The network as it was trained, filled here. None: as the checkpoint says, with a backbone of :data:`BACKBONES`.
    relaxations, algorithm, rows
        See :class:`solvers.lns.scorers.policy.PolicyScorer`.

    Raises
    ------
    ConfigError
        Not exactly one of ``run`` and ``key`` is given; there is no such policy, it cannot be read, or it has another
        feature set, width, backbone or normalisation than ``policy``.
    """

    def __init__(
        self,
        run: str | None = None,
        key: str | None = None,
        cache: str | None = None,
        policy: NeighborhoodPolicy | None = None,
        relaxations: LBRelaxScorer | None = None,
        algorithm: str = "auto",
        rows: RowKind = "constraints",
    ) -> None:
        if (run is None) == (key is None):
            raise ConfigError(f"scorer.run is {run!r} and scorer.key is {key!r}; set exactly one of them")
        payload, source = _of_run(Path(run).expanduser()) if run is not None else _of_cache(str(key), cache)
        weights = Trained.from_bytes(payload, source).weights
        policy = policy or _as_trained(weights, source)
        load_weights(policy, weights, source)
        super().__init__(policy.eval().requires_grad_(False), relaxations, algorithm, rows)


def _as_trained(weights: Mapping[str, Any], source: str) -> NeighborhoodPolicy:
    """An untrained network of the form that the checkpoint describes."""
    form = weights.get("_extra_state")
    if not isinstance(form, Mapping) or form.get("backbone") not in BACKBONES:
        backbone = form.get("backbone") if isinstance(form, Mapping) else None
        raise ConfigError(
            f"{source}: the policy's backbone is {backbone}, none of {', '.join(BACKBONES)}; "
            "give scorer.policy the model it was trained with"
        )
    backbone = BACKBONES[form["backbone"]](form["width"])
    return NeighborhoodPolicy(backbone, form["width"], form["feature_set"], form["window"])


def _of_run(run: Path) -> tuple[bytes, str]:
    path = run / FILE if run.is_dir() else run
    try:
        return path.read_bytes(), f"scorer.run: {path}"
    except OSError as error:
        raise ConfigError(
            f"scorer.run: {path} cannot be read ({error.strerror}); give the folder of a finished run of task=ilp/imitation"
        ) from error


def _of_cache(key: str, cache: str | None) -> tuple[bytes, str]:
    if cache is None:
        raise ConfigError("scorer.cache is null; set it to paths.cache")
    payload = ArtifactCache(cache).collection_of(COLLECTION, key).get(COLLECTION)
    if payload is None:
        raise ConfigError(f"scorer.key: {cache} holds no whole policy {key}; train it, or give scorer.run instead")
    return payload, f"scorer.key: {key}"
