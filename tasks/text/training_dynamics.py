"""Training many one-layer transformers side by side and watching where they attend (docs/papers/scan_snap.md#4.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data.text.sequences import SequenceBatch, replica_seeds
from data.text.synthetic import CoOccurrence
from models.text.one_layer import OneLayerTransformer
from runs.claims.published import load_published
from runs.errors import ConfigError
from runs.record import instances
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from tasks.text.attention_statistics import AttentionPath, slope
from tasks.text.training_figures import attention_figure, entropy_figure

TREND_FROM = 2.0
"""The ratio eta_Y / eta_Z from which on entropy rises with it (docs/papers/scan_snap.md#4.4)."""


class Cell(NamedTuple):
    """One setting of the learning rates: eta_Z, and eta_Y as a multiple of it."""

    eta_z: float
    ratio: float

    @property
    def label(self) -> str:
        """The method that the cell's rows are named after."""
        return f"eta_z {self.eta_z:g}, ratio {self.ratio:g}"


class TrainingDynamics(lightning.LightningModule):
    """All cells eta_Z x (eta_Y / eta_Z), each with all seeds, trained as one run.

    The seeds of a cell are one model with a replica axis; cells share every batch. A cell has parameter groups of its own,
    which is exact with any optimizer, and its tensors fit the processor's cache: products over all cells at once are slower
    by a sixth.

    Results are one row per seed, the means over the cells with the trends over the learning rates; with several cells also
    one row of entropy per cell and seed, whose method is the cell's label. Quantities are described in
    :data:`tasks.text.attention_statistics.QUANTITIES`.

    Parameters
    ----------
    model
        :class:`~models.text.one_layer.OneLayerTransformer` but for sizes and seeds.
    optimizer
        Takes parameter groups; its ``lr`` is the unit in which eta_Z and eta_Y are given.
    distribution
        What co-occurs with what in the data.
    length
        T, the length of a sequence with its query.
    steps
        Updates in all.
    seed, replicas
        As of :class:`~data.text.sequences.SyntheticSequences`: the seeds of the replicas.
    eta_z, ratio
        Learning rates of the cells.
    snapshots
        Steps at which the heat map of Fig. 4 shows the attention besides the end; none for no heat map.
    paper
        Whose published numbers the figure shows.
    cells_reported
        Whether the cells get rows of their own.

    Raises
    ------
    ConfigError
        A learning rate is not positive, a snapshot lies outside training, or several processes are to share the seeds.
    """

    def __init__(
        self,
        model: Callable[..., OneLayerTransformer],
        optimizer: Callable[..., torch.optim.Optimizer],
        distribution: CoOccurrence,
        length: int,
        steps: int,
        seed: int,
        replicas: int,
        eta_z: Sequence[float] = (1.0,),
        ratio: Sequence[float] = (1.0,),
        snapshots: Sequence[int] = (),
        paper: str = "",
        cells_reported: bool = True,
    ) -> None:
        super().__init__()
        _check(eta_z, ratio, snapshots, steps)
        self.optimizer, self.distribution, self.length, self.steps = optimizer, distribution, length, steps
        self.seeds = replica_seeds(seed, replicas)
        self.eta_z, self.ratio, self.snapshots, self.paper = eta_z, ratio, sorted(set(snapshots)), paper
        self.cells = [Cell(z, r) for z, r in product(eta_z, ratio)]
        self.cells_reported = cells_reported and len(self.cells) > 1
        self.models = nn.ModuleList(
            model(
                vocabulary_size=distribution.vocabulary_size,
                context_size=distribution.context_size,
                queries=distribution.num_last,
                seeds=self.seeds,
            )
            for _ in self.cells
        )
        self.moments = sorted({0, steps // 2, *(step for step in self.snapshots if step < steps)})
        path = torch.full((2, len(self.moments), len(self.cells), replicas, *distribution.own.shape), torch.nan)
        self.register_buffer("path", path)
        for name in ("query", "next_token", "own"):
            self.register_buffer(name, getattr(distribution, name), persistent=False)
        counts = (length - 1) * distribution.probabilities[:, : distribution.context_size]
        self.register_buffer("expected_counts", counts.float(), persistent=False)

    def setup(self, stage: str) -> None:
        """Refuse to spread seeds over processes."""
        if self.trainer.world_size > 1:
            raise ConfigError(
                f"hardware: {self.trainer.world_size} processes would each train all seeds, which are one tensor program; "
                "use hardware=cpu or hardware=gpu, and a sweep to use more machines"
            )

    def training_step(self, batch: SequenceBatch, index: int) -> Float[Tensor, ""]:
        """Sum of the losses of all cells and seeds: each gets its own gradient."""
        if self.global_step in self.moments:
            self.get_buffer("path")[:, self.moments.index(self.global_step)] = self._attention()
        counts = token_counts(batch.tokens, self.distribution.context_size)
        query, target = self.get_buffer("query")[batch.classes], self.get_buffer("next_token")[batch.classes]
        losses = torch.stack([model.loss(query, counts, target, batch.tokens) for model in self._models])
        self.log("train_loss", losses.detach().mean(), batch_size=losses.numel())
        return losses.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Two parameter groups per cell."""
        groups, rates = [], []
        for cell, model in zip(self.cells, self._models, strict=True):
            groups += [{"params": list(model.weights.attention_parameters())}]
            groups += [{"params": list(model.weights.decoder_parameters())}]
            rates += [cell.eta_z, cell.eta_z * cell.ratio]
        optimizer = self.optimizer(groups)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] *= rate
        return optimizer

    def test_step(self, batch: Any, index: int) -> None:
        """Measure, and draw."""
        c, z = torch.cat([self.get_buffer("path"), self._attention()[:, None]], dim=1).double().cpu()
        path = AttentionPath([*self.moments, self.steps], c, z, self.distribution.num_unique_per_next)
        measured = path.measure(self.steps // 2, max(self.snapshots, default=None))
        name = f"{self._data_name}/classes"
        of_run = {key: value.mean(0) for key, value in measured.items()} | self._trends(measured["entropy"])
        for i, seed in enumerate(self.seeds):
            metrics = {key: float(value[i]) for key, value in of_run.items()}
            instances.save(self._folder, InstanceResult(0, name, metrics, seed=seed))
        if self.cells_reported:
            for cell, row in zip(self.cells, measured["entropy"].tolist(), strict=True):
                for seed, entropy in zip(self.seeds, row, strict=True):
                    metrics = {"entropy": entropy}
                    instances.save(self._folder, InstanceResult(1, name, metrics, method=cell.label, seed=seed))
        self.log_dict({key: value.mean() for key, value in of_run.items()}, batch_size=1)
        self._draw(path, measured["entropy"])

    def _trends(self, entropy: Float[Tensor, "cells R"]) -> dict[str, Float[Tensor, " R"]]:
        """Slopes of entropy, nats per factor e: over the ratio from 2 on, mean over eta_Z; and over eta_Z."""
        grid = entropy.view(len(self.eta_z), len(self.ratio), -1)
        late = [j for j, value in enumerate(self.ratio) if value >= TREND_FROM]
        trends = {}
        if len(late) > 1:
            ratios = torch.tensor([self.ratio[j] for j in late], dtype=grid.dtype)
            trends["entropy_slope_ratio"] = slope(ratios.log(), grid[:, late].transpose(0, 1)).mean(0)
        if len(self.eta_z) > 1:
            rates = torch.tensor(self.eta_z, dtype=grid.dtype)
            trends["entropy_slope_eta_z"] = slope(rates.log(), grid).mean(0)
        return trends

    def _draw(self, path: AttentionPath, entropy: Float[Tensor, "cells R"]) -> None:
        if self.snapshots:
            shown = [i for i, step in enumerate(path.steps) if step in (*self.snapshots, self.steps)]
            steps = [path.steps[i] for i in shown]
            title = f"{self._data_name}, {self.cells[0].label}, seed {self.seeds[0]}"
            common = path.c.shape[-1] - path.distinct
            maps = path.c[shown, 0, 0].numpy()
            draw(self._folder, "attention", lambda: attention_figure(steps, maps, common, title))
        if len(self.cells) > 1:
            grid = entropy.view(len(self.eta_z), len(self.ratio), -1).numpy()
            draw(
                self._folder,
                "entropy",
                lambda: entropy_figure(self.eta_z, self.ratio, grid, self._published(), self._data_name),
            )

    def _published(self) -> dict[tuple[int, int], tuple[float, float | None]]:
        places = {cell.label: divmod(i, len(self.ratio)) for i, cell in enumerate(self.cells)}
        entries = load_published(self.paper) if self.paper else []
        fitting = [e for e in entries if (e.metric, e.dataset) == ("entropy", self._data_name) and e.method in places]
        return {places[e.method]: (e.value, e.std) for e in fitting if e.value is not None}

    @torch.no_grad()
    def _attention(self) -> Float[Tensor, "2 cells R K own"]:
        """c and z of all models for each class's own tokens, mean over heads, in the limit of long sequences."""
        replicas = len(self.seeds)
        query = self.get_buffer("query").expand(replicas, -1)
        counts = self.get_buffer("expected_counts").expand(replicas, -1, -1)
        own = self.get_buffer("own").expand(replicas, -1, -1)
        c = [model.attention(query, counts).mean(1).gather(-1, own) for model in self._models]
        z = [model.attention_logits().mean(1)[:, query[0]].gather(-1, own) for model in self._models]
        return torch.stack([torch.stack(c), torch.stack(z)])

    @property
    def _models(self) -> list[OneLayerTransformer]:
        return cast("list[OneLayerTransformer]", list(self.models))

    @property
    def _folder(self) -> Path:
        return Path(self.trainer.default_root_dir)

    @property
    def _data_name(self) -> str:
        return str(self.trainer.datamodule.name)  # type: ignore[attr-defined]


def token_counts(tokens: Int[Tensor, "R batch length"], size: int) -> Float[Tensor, "R batch size"]:
    """How often each of the tokens 0 to ``size - 1`` occurs in each sequence."""
    counts = torch.zeros(*tokens.shape[:-1], size, device=tokens.device)
    return counts.scatter_add_(-1, tokens, counts.new_ones(1).expand(tokens.shape))


def _check(eta_z: Sequence[float], ratio: Sequence[float], snapshots: Sequence[int], steps: int) -> None:
    for name, values in (("eta_z", eta_z), ("ratio", ratio)):
        if not values or not all(value > 0 for value in values):
            raise ConfigError(f"task.{name} is {list(values)}; give a list of positive numbers")
    if outside := [step for step in snapshots if not 0 <= step <= steps]:
        raise ConfigError(f"task.snapshots has {outside[0]}; steps of this training go from 0 to {steps}")
