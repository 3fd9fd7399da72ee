"""A predictor that a search needs: trained once for all runs that need the same, or taken from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from data.compiler.base import Actions, Compiler
from data.compiler.program import Program
from data.compiler.views import View
from models.compiler.predictor import PassPredictor
from runs.errors import ConfigError
from tasks.compiler.prediction import checksum
from tasks.pretrained import Pretrained


class NetworkScorer:
    """A trained predictor as a :data:`solvers.compiler.replay.Scorer`.

    Parameters
    ----------
    network
        Scores sequences.
    view
        What it sees.
    compiler
        Reads programs.
    sequences
        How many it is asked for.
    """

    def __init__(self, network: PassPredictor, view: View, compiler: Compiler, sequences: int) -> None:
        self.network, self.view, self.compiler, self.sequences = network.eval(), view, compiler, sequences

    @torch.no_grad()
    def __call__(self, program: Program) -> Float[np.ndarray, " sequences"]:
        """Scores of all sequences for a program."""
        seen = self.view.of(self.compiler.load(program.bitcode, program.name))
        scores: np.ndarray = self.network(self.view.batch([seen]))[0, : self.sequences].double().numpy()
        return scores


class PretrainedPredictor:
    """Scores for the replays of a run (docs/papers/pass_order.md#3.5).

    Parameters
    ----------
    training
        How the network is trained; its data have the view.
    run
        Where a trained network is taken from instead: whatever :meth:`runs.store.trained_run.TrainedRun.at` takes.
    """

    def __init__(self, training: Pretrained, run: Any = None) -> None:
        self.training, self.run = training, run

    def prepare(self, folder: Path, sequences: tuple[Actions, ...], compiler: Compiler) -> NetworkScorer:
        """The predictor, left in the run's folder for other runs.

        Raises
        ------
        ConfigError
            What was taken from a run is another network, or scores another coreset.
        """
        network: PassPredictor = self.training.network_of(self.run, folder, "predictor")
        if int(network.coreset) != checksum(sequences):
            raise ConfigError(
                "model.run: the predictor scores the sequences of another coreset; give that run's coreset.json, by "
                "pass_order/coreset@coreset=file coreset.path=RUN/files/coreset.json"
            )
        return NetworkScorer(network, self.training.samples.view, compiler, len(sequences))
