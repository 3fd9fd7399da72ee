"""CL-LNS and its ablations: a policy imitates local branching, then searches (docs/papers/cl_lns.md#5, #6)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection

from data.ilp.state_batch import StateBatch
from models.ilp.losses import LossSum, Reduction, bce_loss, contrastive_loss
from models.ilp.policy import NeighborhoodPolicy, load_weights
from runs.errors import ConfigError
from runs.store.trained import Trained
from runs.store.trained_once import TrainedOnce
from solvers.base import Solver
from solvers.lns.scorers.lb_relax import LBRelaxScorer
from solvers.lns.scorers.policy import PolicyScorer
from solvers.lns.scorers.trained import POLICY
from solvers.milp.root_features import RowKind
from tasks.ilp.measure import measure
from tasks.ilp.ranking import ranking
from tasks.search import Search


class Imitation(Search):
    """Training on the sets that local branching found, then the search with the policy of the best validation loss.

    Several processes take the steps that one takes. The best policy so far belongs to the state of the module: a resumed
    run has it. A policy that is in the artifact cache is taken from there, frozen, so that nothing is left to fit.

    Parameters
    ----------
    model
        The policy.
    solver
        Large neighbourhood search with the scored heuristic.
    budget, seed, checkpoint_seconds
        Of the search, see :class:`tasks.search.Search`.
    optimizer
        Called with the policy's parameters.
    objective
        ``contrastive``, or ``bce``: binary cross-entropy against the best set.
    temperature, reduction
        Of the contrastive loss, see :func:`models.ilp.losses.contrastive_loss`.
    patience
        Epochs without a better validation loss after which the learning rate is halved.
    recall_at
        How many of the highest scores the validation's ``recall`` looks at.
    relaxations
        For feature set ``gasse_khalil_lb_relax``, see :class:`solvers.lns.scorers.policy.PolicyScorer`.
    rows
        What the row nodes of the graph are, as in the training data: ``constraints`` or ``lp``.
    settings
        JSON text of the configuration that determines the trained policy; its ``model`` is kept with the weights.
    cache
        Folder of the artifact cache; None: the policy is trained for this run alone.

    Raises
    ------
    ConfigError
        A setting is out of its range, or the stored policy is another one than ``model``.
    """

    def __init__(
        self,
        model: NeighborhoodPolicy,
        solver: Solver,
        budget: dict[str, Any],
        seed: int,
        optimizer: Callable[..., torch.optim.Optimizer],
        objective: Literal["contrastive", "bce"] = "contrastive",
        temperature: float = 0.07,
        reduction: Reduction = "pair",
        patience: int = 20,
        recall_at: int = 50,
        relaxations: LBRelaxScorer | None = None,
        rows: RowKind = "constraints",
        settings: str = "{}",
        cache: str | None = None,
        checkpoint_seconds: float = 1.0,
    ) -> None:
        super().__init__(solver, budget, seed, measure, checkpoint_seconds)
        if objective not in ("contrastive", "bce"):
            raise ConfigError(f"task.objective is '{objective}'; choose contrastive or bce")
        for name, value in (("patience", patience), ("recall_at", recall_at)):
            if value < 1:
                raise ConfigError(f"task.{name} is {value}; it must be at least 1")
        self.policy = model
        self.scorer = PolicyScorer(copy.deepcopy(model).requires_grad_(False), relaxations, rows=rows)
        self.model = self.scorer
        self.optimizer = optimizer
        self.objective, self.temperature, self.reduction = objective, temperature, reduction
        self.patience, self.recall_at = patience, recall_at
        names = ("loss", "auc", "recall", "margin")
        self.validation = MetricCollection({name: MeanMetric(nan_strategy="ignore") for name in names})
        self.best: dict[str, float] = {}
        self.normalized: Tensor
        self.register_buffer("normalized", torch.tensor(False))
        self.once = TrainedOnce(POLICY, settings, cache)
        if (trained := self.once.load()) is not None:
            self.adopt(trained)
            self.requires_grad_(False)

    def configure_callbacks(self) -> list[Any]:
        """The store of the trained policy."""
        return [self.once]

    def on_fit_start(self) -> None:
        """Measure the normalisation of the inputs, unless this run has before it was killed."""
        if not self.normalized and not self.trainer.should_stop:
            self.policy.fit_normalization(self.data.train_dataloader())
            self.normalized.fill_(True)

    def training_step(self, batch: StateBatch, index: int) -> Float[Tensor, ""]:
        """The mean loss over the batch of all processes."""
        loss = self._loss(self._scores(batch), batch).mean_over_processes
        self.log("training_loss", loss, batch_size=1, sync_dist=True)  # the parts of all processes average to the mean
        return loss

    def validation_step(self, batch: StateBatch, index: int) -> None:
        """Loss and ranking of one batch of validation states."""
        scores = self._scores(batch)
        loss = self._loss(scores, batch)
        self.validation["loss"].update(loss.mean, loss.terms)
        for name, values in ranking(scores, batch, self.recall_at).items():
            self.validation[name].update(values)

    def on_validation_epoch_end(self) -> None:
        """Keep the policy if it is the best so far."""
        measured = {f"validation_{name}": float(value) for name, value in self.validation.compute().items()}
        self.validation.reset()
        if self.trainer.sanity_checking:
            return
        self.log_dict(measured)
        if measured["validation_loss"] < self.best.get("validation_loss", torch.inf):
            self.best = measured
            self.scorer.policy.load_state_dict(self.policy.state_dict())

    def configure_optimizers(self) -> Any:
        """The rate stays, and is halved after ``patience`` epochs without a better validation loss."""
        optimizer = self.optimizer([parameter for parameter in self.policy.parameters() if parameter.requires_grad])
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=self.patience, threshold=0.0
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "validation_loss"}}

    def on_test_start(self) -> None:
        """Leave the policy in the run's folder, for other searches."""
        if self.trainer.is_global_zero:
            self.once.keep(self.folder, self.trained())

    def searched(self) -> dict[str, float]:
        """What the training reached, and what preparing the policy for the instance took."""
        measured, self.scorer.measured = self.scorer.measured, {}
        return self.best | measured

    def trained(self) -> Trained:
        """The best policy."""
        return Trained(self.scorer.policy.state_dict(), self.best)

    def adopt(self, trained: Trained) -> None:
        """Search with a policy that another run trained.

        Raises
        ------
        ConfigError
            It is another one than the model.
        """
        load_weights(self.scorer.policy, trained.weights, "the stored policy")
        self.best = dict(trained.validation)

    def get_extra_state(self) -> dict[str, Any]:
        """What the best policy reached, so that it travels with the weights."""
        return {"best": self.best}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        self.best = state["best"]

    def _scores(self, batch: StateBatch) -> Float[Tensor, " variables"]:
        return self.policy(batch.variables, batch.rows, batch.edge_index, batch.edges)

    def _loss(self, scores: Float[Tensor, " variables"], batch: StateBatch) -> LossSum:
        if self.objective == "bce":
            return bce_loss(scores, batch)
        return contrastive_loss(scores, batch, self.temperature, self.reduction)
