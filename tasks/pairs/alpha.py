"""alpha-CL: which weights of pairs a contrastive loss hides in its gradient (docs/papers/ssl.md#6.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.pairs.embeddings import EmbeddingPair
from models.ssl.parts.losses.alpha_cl import alpha_cl
from models.ssl.parts.losses.dcl import dcl
from models.ssl.parts.losses.nt_xent import nt_xent
from runs.errors import ConfigError
from runs.names import safe_name
from runs.record.instances import InstanceResult
from runs.record.left_out import draw
from tasks.pairs.labels import label
from tasks.problems import ProblemTask

Loss = Callable[[Tensor, Tensor], Tensor]


class AlphaTheory(ProblemTask):
    """Gradients of alpha-CL on batches of embeddings, held against T times those of DCL and of NT-Xent.

    ``gradient_error_<p>`` is the distance of the two gradients over the norm of DCL's, ``gradient_cosine_<p>`` their cosine;
    ``nt_xent_error_<p>`` the same distance to NT-Xent, whose weights have the positive pair in their denominator.

    Parameters
    ----------
    temperature
        T.
    powers
        p, of the distance in the weights.
    drawn
        The first so many batches get figures.

    Raises
    ------
    ConfigError
        T or a power is not positive.
    """

    def __init__(
        self,
        temperature: float,
        powers: Sequence[float],
        drawn: int = 2,
    ) -> None:
        super().__init__()
        if not temperature > 0 or not powers or not all(power > 0 for power in powers):
            raise ConfigError(f"task.temperature is {temperature}, task.powers {list(powers)}; all must be positive")
        self.temperature, self.powers, self.drawn = temperature, powers, drawn

    def result(self, index: int, name: str, problem: EmbeddingPair) -> InstanceResult:
        """All powers on one batch."""
        T = self.temperature
        of_dcl = T * gradient(lambda a, b: dcl(a, b, T), problem)
        of_nt_xent = T * gradient(lambda a, b: nt_xent(a, b, T), problem)
        metrics = {}
        for power in self.powers:
            ours = gradient(lambda a, b, power=power: alpha_cl(a, b, T, power), problem)  # type: ignore[misc]
            cosine = np.sum(ours * of_dcl) / (np.linalg.norm(ours) * np.linalg.norm(of_dcl))
            metrics[f"gradient_error_{label(power)}"] = relative_distance(ours, of_dcl)
            metrics[f"gradient_cosine_{label(power)}"] = float(cosine)
            metrics[f"nt_xent_error_{label(power)}"] = relative_distance(ours, of_nt_xent)
        if index < self.drawn:
            from tasks.pairs.alpha_figures import alpha_figure

            draw(
                self.folder,
                f"weights_{safe_name(problem.name)}",
                lambda: alpha_figure(problem, T, self.powers, metrics),
            )
        return InstanceResult(index=index, name=name, metrics=metrics)


def gradient(loss: Loss, pair: EmbeddingPair) -> Float[np.ndarray, "2 batch dimension"]:
    """Gradient in both views."""
    with torch.inference_mode(False), torch.enable_grad():
        z = torch.from_numpy(np.stack([pair.first, pair.second])).requires_grad_()
        (found,) = torch.autograd.grad(loss(z[0], z[1]), z)
    return found.numpy()


def relative_distance(ours: Float[np.ndarray, "*shape"], theirs: Float[np.ndarray, "*shape"]) -> float:
    """|ours - theirs| / |theirs|."""
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
