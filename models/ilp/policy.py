"""The policy of CL-LNS: scores of the variables of an ILP from its bipartite graph (docs/papers/cl_lns.md#4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data.ilp.features.dynamic import WINDOW
from data.ilp.features.feature_set import EDGE_FEATURES, ROW_FEATURES, STATIC, VARIABLE_FEATURES, FeatureSet
from data.ilp.state_batch import StateBatch
from models.graphs.prenorm import Prenorm
from models.precision import full_precision
from runs.errors import ConfigError

Init = Literal["orthogonal", "default"]
GLOBAL_LOWER_BOUND = 2
"""The column that the release's normalisation passes unchanged."""


@dataclass(frozen=True, eq=False)
class EncodedInstance:
    """What stays the same while the incumbents of one instance change.

    Parameters
    ----------
    variables
        (n, width), the static columns' part of the first layer of the variables.
    rows, edges
        (M, width) and (E, width) embeddings.
    edge_index
        (2, E) row node and variable of each edge.
    """

    variables: Float[Tensor, "variables width"]
    rows: Float[Tensor, "rows width"]
    edges: Float[Tensor, "edges width"]
    edge_index: Int[Tensor, "2 edges"]


class NeighborhoodPolicy(nn.Module):
    """Embedding of variables, rows and edges, a backbone, and a head that gives one logit per variable.

    ``v = MLP(104 -> 64 -> 64)``, ``c = MLP(10 -> 64 -> 64)``, ``e = Linear(2 -> 64)``, each on normalised features; then
    ``score = Linear(64, 1) ReLU Linear(64, 64) backbone(v, c, e)``. With the paper's GAT 62,016 parameters.

    Parameters
    ----------
    backbone
        A module with the call of :class:`models.graphs.backbone.Backbone`, of the same width.
    width
        Of every embedding.
    feature_set
        ``gasse``, ``gasse_khalil`` or ``gasse_khalil_lb_relax``; columns outside it are set to 0.
    window
        How many incumbents are seen, 0 to 3.
    init
        ``orthogonal``: matrices of all linear layers orthogonal, their biases N(0, 1); ``default``: torch's.

    Raises
    ------
    ConfigError
        An unknown ``feature_set`` or ``init``, or ``window`` outside its range.
    """

    visible: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        width: int = 64,
        feature_set: str = "gasse_khalil",
        window: int = WINDOW,
        init: Init = "orthogonal",
    ) -> None:
        super().__init__()
        if not 0 <= window <= WINDOW:
            raise ConfigError(f"model.window is {window}; it must be 0 to {WINDOW}")
        if init not in ("orthogonal", "default"):
            raise ConfigError(f"model.init is '{init}'; choose orthogonal or default")
        self.width, self.feature_set, self.window = width, FeatureSet.named(feature_set), window
        visible = torch.from_numpy(self.feature_set.columns)
        visible[STATIC + 3 * window :] = False
        self.register_buffer("visible", visible, persistent=False)
        self.variable_norm = Prenorm(VARIABLE_FEATURES, unchanged=[GLOBAL_LOWER_BOUND])
        self.row_norm, self.edge_norm = Prenorm(ROW_FEATURES), Prenorm(EDGE_FEATURES)
        self.variable_input = nn.Linear(VARIABLE_FEATURES, width)
        self.variable_embedding = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.row_embedding = nn.Sequential(
            nn.Linear(ROW_FEATURES, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.edge_embedding = nn.Linear(EDGE_FEATURES, width)
        self.backbone = backbone
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1, bias=False))
        if init == "orthogonal":
            self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight)
                if module.bias is not None:
                    nn.init.normal_(module.bias)

    def forward(
        self,
        variables: Float[Tensor, "variables 104"],
        rows: Float[Tensor, "rows 10"],
        edge_index: Int[Tensor, "2 edges"],
        edges: Float[Tensor, "edges 2"],
    ) -> Float[Tensor, " variables"]:
        """Logits; pi is their sigmoid. The graph may be a union of several."""
        v = self.variable_input(self.variable_norm(self._seen(variables)))
        c, e = self.row_embedding(self.row_norm(rows)), self.edge_embedding(self.edge_norm(edges))
        return self._logits(EncodedInstance(v, c, e, edge_index), v)

    def _seen(self, variables: Tensor) -> Tensor:
        return torch.where(self.visible, variables, 0.0)

    def _logits(self, encoded: EncodedInstance, first_layer: Tensor) -> Tensor:
        v = self.variable_embedding(first_layer)
        return self.head(self.backbone(v, encoded.rows, encoded.edge_index, encoded.edges)).squeeze(1)

    @torch.no_grad()
    @full_precision
    def encode_static(
        self,
        variables: Float[Tensor, "variables 95"],
        rows: Float[Tensor, "rows 10"],
        edge_index: Int[Tensor, "2 edges"],
        edges: Float[Tensor, "edges 2"],
    ) -> EncodedInstance:
        """What of :meth:`forward` no incumbent changes (docs/papers/cl_lns.md#6.2); no gradients, no autocast."""
        absent = variables.new_zeros(len(variables), VARIABLE_FEATURES - STATIC)
        normalized = self.variable_norm(self._seen(torch.cat([variables, absent], 1)))[:, :STATIC]
        first_layer = nn.functional.linear(normalized, self.variable_input.weight[:, :STATIC], self.variable_input.bias)
        c, e = self.row_embedding(self.row_norm(rows)), self.edge_embedding(self.edge_norm(edges))
        return EncodedInstance(first_layer, c, e, edge_index)

    @torch.no_grad()
    @full_precision
    def score(self, encoded: EncodedInstance, dynamic: Float[Tensor, "variables 9"]) -> Float[Tensor, " variables"]:
        """The logits of :meth:`forward` for new incumbents of an encoded instance; without gradients or autocast, whose
        short numbers would tie."""
        norm = self.variable_norm
        seen = torch.where(self.visible[STATIC:], dynamic, 0.0)
        normalized = (seen - norm.mean[STATIC:]) / norm.std[STATIC:]
        first_layer = encoded.variables + normalized @ self.variable_input.weight[:, STATIC:].T
        return self._logits(encoded, first_layer)

    @torch.no_grad()
    def fit_normalization(self, batches: Iterable[StateBatch]) -> None:
        """Measure mean and variance of all inputs, in one exact pass over ``batches``, and freeze them.

        A backbone with prenorms inside (GCN) has each fitted in the order of their registration, with one more pass per
        prenorm, since each changes what the next one sees. Under ``torch.distributed`` the processes' batches are merged.

        Parameters
        ----------
        batches
            The training states; walked through once per pass.
        """
        device = self.visible.device
        with self.variable_norm.fitting(), self.row_norm.fitting(), self.edge_norm.fitting():
            for batch in batches:
                self.variable_norm(self._seen(batch.variables.to(device)))
                self.row_norm(batch.rows.to(device))
                self.edge_norm(batch.edges.to(device))
        for inner in (module for module in self.backbone.modules() if isinstance(module, Prenorm)):
            with inner.fitting():
                for batch in batches:
                    moved = batch.to(device)
                    self(moved.variables, moved.rows, moved.edge_index, moved.edges)

    @torch.no_grad()
    def share_beyond(self, batch: StateBatch, sigmas: float = 5.0) -> float:
        """Share of the normalised inputs further than ``sigmas`` from 0: how foreign an instance is to the training set."""
        variables = self.variable_norm(self._seen(batch.variables))[:, self.visible]
        parts = [variables, self.row_norm(batch.rows), self.edge_norm(batch.edges)]
        beyond = sum(int((part.abs() > sigmas).sum()) for part in parts)
        return beyond / max(1, sum(part.numel() for part in parts))

    def get_extra_state(self) -> dict[str, Any]:
        """What weights do not tell, stored beside them: plain values, so that a checkpoint loads with ``weights_only``."""
        return {
            "feature_set": str(self.feature_set),
            "window": self.window,
            "width": self.width,
            "backbone": f"{type(self.backbone).__name__}({self.backbone.extra_repr()})",
            "normalization": {name: len(m.mean) for name, m in self.named_modules() if isinstance(m, Prenorm)},
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Compare a checkpoint with this policy.

        Raises
        ------
        ConfigError
            They differ; names both.
        """
        for key, own in self.get_extra_state().items():
            stored = state.get(key)
            if stored != own:
                raise ConfigError(
                    f"the checkpoint's policy has {key} {stored}, this one {own}; "
                    f"configure the model as it was trained, or take another checkpoint"
                )


def load_weights(policy: NeighborhoodPolicy, state: Mapping[str, Any], source: str) -> None:
    """Load a policy's ``state_dict``.

    Parameters
    ----------
    policy
        Filled in place.
    state
        Its ``state_dict``, as stored.
    source
        Where it comes from, for messages.

    Raises
    ------
    ConfigError
        It is of another policy: names what differs, both values and the source.
    """
    try:
        policy.load_state_dict(state)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:600]
        raise ConfigError(
            f"{source}: the weights do not fit this policy ({policy.get_extra_state()}): {reason}. "
            "Configure the model as it was trained, or take another checkpoint"
        ) from error
