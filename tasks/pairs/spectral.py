"""Self-supervised losses without a network, held against spectral methods (docs/papers/ssl.md#6.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data.pairs.graph import PairGraph
from data.pairs.linear_views import linear_views
from runs.errors import ConfigError
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from solvers.spectral.linear_barlow import LinearBarlow, numerical_rank
from solvers.spectral.references import canonical_variates, eigenmaps, largest_angle, top_eigenvectors
from solvers.spectral.spectral_contrastive import SpectralContrastive
from solvers.spectral.vicreg import GraphVICReg
from tasks.pairs.labels import label
from tasks.problems import ProblemTask


class SpectralTheory(ProblemTask):
    """On every graph of positive pairs, and on linear views drawn beside it, optimum against closed form.

    ``contrastive_angle`` (degrees) and ``contrastive_eigenvalue_error`` compare spectral contrastive embeddings with the
    top K eigenvectors. For VICReg at weight w, ``trace_error_<w>`` is by how much Tr(Z^T L Z) / (n - 1) misses the sum of
    the K smallest non-zero eigenvalues, relative to it; ``std_<w>`` the mean standard deviation of Z,
    ``eigenmaps_angle_<w>`` its angle to the eigenmaps, and ``trusted_weight`` 4 times that sum, what theory asks of w. For
    linear Barlow Twins at redundancy r, ``cca_angle_<r>`` is the larger angle, over both views, to the first K canonical
    variates, and ``cca_rank_<r>`` how many directions its first encoder uses. Variances are unbiased, hence n - 1.

    Parameters
    ----------
    seed
        Of starts and linear views.
    dimension
        K of the embeddings of graphs.
    weights
        Of VICReg's variance and covariance over its invariance, increasing.
    correlations, samples, canonical_dimension
        Canonical correlations of the linear views, their samples, and K for them.
    redundancies
        Of Barlow Twins.
    drawn
        The first so many graphs get figures.

    Raises
    ------
    ConfigError
        A setting makes no check.
    """

    def __init__(
        self,
        seed: int,
        dimension: int,
        weights: Sequence[float],
        correlations: Sequence[float],
        samples: int,
        canonical_dimension: int,
        redundancies: Sequence[float],
        drawn: int = 2,
    ) -> None:
        for key, values in (("weights", weights), ("redundancies", redundancies)):
            if not values or not all(value > 0 for value in values):
                raise ConfigError(f"task.{key} is {list(values)}; give positive weights")
        if not 1 <= canonical_dimension < len(correlations):
            raise ConfigError(
                f"task.canonical_dimension is {canonical_dimension}; with {len(correlations)} correlations give 1 to "
                f"{len(correlations) - 1}"
            )
        self.contrastive = SpectralContrastive(dimension)
        self.vicregs = {weight: GraphVICReg(dimension, weight) for weight in weights}
        self.barlows = {weight: LinearBarlow(canonical_dimension, weight) for weight in redundancies}
        super().__init__()
        self.seed = seed
        self.dimension, self.correlations, self.samples, self.drawn = dimension, correlations, samples, drawn

    def result(self, index: int, name: str, problem: PairGraph) -> InstanceResult:
        """All checks beside one graph."""
        rng = np.random.default_rng([self.seed, index, 1])
        if problem.nodes <= self.dimension + 1:
            raise ConfigError(f"task.dimension is {self.dimension}; the graph has only {problem.nodes} nodes")
        Z = self.contrastive.embed(problem, rng)
        embeddings = {weight: vicreg.embed(problem, rng) for weight, vicreg in self.vicregs.items()}
        metrics = {
            **self._against_eigenvectors(problem, Z),
            **self._against_eigenmaps(problem, embeddings),
            **self._against_canonical_variates(rng),
        }
        if index < self.drawn:
            from tasks.pairs.spectral_figures import spectral_figure

            draw(
                self.folder,
                f"spectra_{safe_name(problem.name)}",
                lambda: spectral_figure(problem, Z, embeddings),
            )
        return InstanceResult(index=index, name=name, metrics=metrics)

    def _against_eigenvectors(self, graph: PairGraph, Z: Float[np.ndarray, "n K"]) -> dict[str, float]:
        values, vectors = top_eigenvectors(graph, self.dimension)
        found = np.linalg.eigvalsh(Z.T @ Z)[::-1]
        return {
            "contrastive_angle": largest_angle(Z, vectors),
            "contrastive_eigenvalue_error": float(np.abs(found - values).max()),
        }

    def _against_eigenmaps(self, graph: PairGraph, embeddings: dict[float, np.ndarray]) -> dict[str, float]:
        values, vectors = eigenmaps(graph, self.dimension)
        found = {"trusted_weight": float(4 * values.sum())}
        for weight, Z in embeddings.items():
            found[f"trace_error_{label(weight)}"] = abs(graph.trace(Z) / float(values.sum()) - 1)
            found[f"std_{label(weight)}"] = float(Z.std(0, ddof=1).mean())
            found[f"eigenmaps_angle_{label(weight)}"] = largest_angle(Z - Z.mean(0), vectors)
        return found

    def _against_canonical_variates(self, rng: np.random.Generator) -> dict[str, float]:
        views = linear_views("views", rng, self.samples, self.correlations)
        _, *variates = canonical_variates(views)
        found = {}
        for weight, barlow in self.barlows.items():
            projections = barlow.encode(views, rng)
            angles = [largest_angle(z, v[:, : z.shape[1]]) for z, v in zip(projections, variates, strict=True)]
            found[f"cca_angle_{label(weight)}"] = max(angles)
            found[f"cca_rank_{label(weight)}"] = numerical_rank(projections[0])
        return found
