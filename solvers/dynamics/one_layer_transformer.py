"""Gradient flow of the one-layer transformer for endless sequences (docs/papers/scan_snap.md#2.4).

arXiv 2305.16380, Lemma 1.

For T -> infinity the attention of class n (query m, next token n) sees each token l in proportion to P(l|n), so

    c_n = P(.|n) exp(z_m) / sum,   f_n = c_n / |c_n|,   alpha_n = softmax(Y^T f_n),   v_n = Y (e_n - alpha_n)

    dY/dt   = eta_y / K  sum_n f_n (e_n - alpha_n)^T
    dz_m/dt = eta_z / K  sum_{n of m} f_n * (v_n - (f_n . v_n) f_n)

where * is by element: diag(c) is what is left of the softmax' Jacobian, as f_n is orthogonal to the projected gradient, and
c_n / |c_n| = f_n. Rows of Z are kept for query tokens only, rows of Y and columns of Z only for tokens that precede a query,
and the tokens that are never next share one column of Y as long as their columns begin equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from data.text.synthetic import CoOccurrence
from runs.errors import ConfigError

State = Float[np.ndarray, " dimension"]
"""All that the dynamics move, flat."""
FeatureGradient = tuple[Float[np.ndarray, "K L"], Float[np.ndarray, "K J"]]
"""v and alpha of :class:`Moment`."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What can be observed of the model in one state; classes (K), context tokens (L), query tokens (Q), columns (J).

    Parameters
    ----------
    z
        (K, L) attention logits of each class's query.
    dz
        (K, L) their velocity.
    c, f
        (K, L) combined token weights and their direction, c / |c|.
    alpha
        (K, J) predicted probability of each column's tokens together.
    v
        (K, L) v_n = Y (e_n - alpha_n), the gradient that reaches f_n.
    """

    z: Float[np.ndarray, "K L"]
    dz: Float[np.ndarray, "K L"]
    c: Float[np.ndarray, "K L"]
    f: Float[np.ndarray, "K L"]
    alpha: Float[np.ndarray, "K J"]
    v: Float[np.ndarray, "K L"]


class OneLayerDynamics(ABC):
    """Abstract: the attention half, which all dynamics share; a subclass says what the decoder is.

    Parameters
    ----------
    data
        The co-occurrences P(l|n), and which query owns a class.
    eta_y, eta_z
        Rates of decoder and attention per unit of time; one step of SGD without momentum is one unit.

    Raises
    ------
    ConfigError
        A rate is not positive.
    """

    def __init__(self, data: CoOccurrence, eta_y: float, eta_z: float) -> None:
        for name, rate in (("eta_y", eta_y), ("eta_z", eta_z)):
            if not (rate > 0 and np.isfinite(rate)):
                raise ConfigError(f"{name} is {rate}; a learning rate must be a positive number")
        self.data, self.eta_y, self.eta_z = data, eta_y, eta_z
        self.classes = data.classes
        self.tokens: Int[np.ndarray, " L"] = np.arange(data.context_size)
        self.probabilities = data.probabilities.numpy()[:, self.tokens]
        self.query: Int[np.ndarray, " K"] = data.query.numpy()
        self.owner = np.eye(data.num_last)[self.query].T  # (Q, K)
        self.next_column = np.arange(self.classes)
        self.copies = np.append(np.ones(self.classes), data.vocabulary_size - self.classes)
        """(J,) how many tokens a column stands for."""

    @property
    def distinct(self) -> Int[np.ndarray, "K U"]:
        """Context tokens that occur with one class only, in increasing co-occurrence."""
        return self.data.distinct.numpy()

    @property
    def common(self) -> Int[np.ndarray, " C"]:
        """Context tokens that occur with every class."""
        return self.data.common.numpy()

    @property
    @abstractmethod
    def initial(self) -> State:
        """The state at time 0."""

    @abstractmethod
    def velocity(self, time: float, state: State) -> State:
        """dx/dt of the flat state."""

    @abstractmethod
    def attention_logits(self, state: State) -> Float[np.ndarray, "Q L"]:
        """Z of a flat state."""

    @abstractmethod
    def gradient_at_features(self, state: State, f: Float[np.ndarray, "K L"]) -> FeatureGradient:
        """v and alpha."""

    @abstractmethod
    def decoder(self, state: State) -> Float[np.ndarray, "L J"]:
        """Y of a flat state, its columns merged."""

    def parameters(self, state: State) -> tuple[Float[np.ndarray, "L M"], Float[np.ndarray, "Q L"]]:
        """Y with a column for each of the M tokens, and Z, both for context tokens."""
        merged = self.decoder(state)
        if merged.shape[1] == self.data.vocabulary_size:
            return merged, self.attention_logits(state)
        Y = np.repeat(merged[:, -1:], self.data.vocabulary_size, axis=1)
        Y[:, self.data.next_token.numpy()] = merged[:, :-1]
        return Y, self.attention_logits(state)

    def observe(self, state: State) -> Moment:
        """Everything that can be seen in a state."""
        Z = self.attention_logits(state)
        f = self.features(Z)
        v, alpha = self.gradient_at_features(state, f)
        dz = self.attention_velocity(f, v)[self.query]
        return Moment(Z[self.query], dz, f / f.sum(1, keepdims=True), f, alpha, v)

    def features(self, Z: Float[np.ndarray, "Q L"]) -> Float[np.ndarray, "K L"]:
        """f_n of every class."""
        weights = self.probabilities * np.exp(Z - Z.max(axis=1, keepdims=True))[self.query]
        return weights / np.linalg.norm(weights, axis=1, keepdims=True)

    def attention_velocity(self, f: Float[np.ndarray, "K L"], v: Float[np.ndarray, "K L"]) -> Float[np.ndarray, "Q L"]:
        """dZ/dt given what reaches the features."""
        along = np.sum(f * v, axis=1, keepdims=True)
        return self.eta_z / self.classes * (self.owner @ (f * (v - along * f)))

    def predictions(self, logits: Float[np.ndarray, "K J"]) -> Float[np.ndarray, "K J"]:
        """alpha_n: the softmax, each column counted as often as it has tokens."""
        weights = self.copies * np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def errors(self, alpha: Float[np.ndarray, "K J"]) -> Float[np.ndarray, "K J"]:
        """e_n - alpha_n."""
        errors = -alpha
        errors[np.arange(self.classes), self.next_column] += 1.0
        return errors


class GradientFlow(OneLayerDynamics):
    """The exact gradient flow of J in Y and Z together.

    Parameters
    ----------
    data, eta_y, eta_z
        As in :class:`OneLayerDynamics`.
    start
        Y (M, M) and Z (M, M) to start from; zeros by default, where the columns of tokens that are never next stay equal.
    """

    def __init__(
        self,
        data: CoOccurrence,
        eta_y: float,
        eta_z: float,
        start: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        super().__init__(data, eta_y, eta_z)
        if start is None:
            self._initial = np.zeros(len(self.tokens) * len(self.copies) + data.num_last * len(self.tokens))
            return
        M = data.vocabulary_size
        for name, value in zip("YZ", start, strict=True):
            if np.shape(value) != (M, M):
                raise ConfigError(
                    f"{name} has the shape {np.shape(value)}; a vocabulary of {M} tokens needs ({M}, {M})"
                )
        self.copies = np.ones(M)
        self.next_column = data.next_token.numpy()
        queries = data.last_token.numpy()[:: data.num_next_per_last]
        Y, Z = (np.asarray(value, dtype=float) for value in start)
        self._initial = np.concatenate([Y[self.tokens].ravel(), Z[queries][:, self.tokens].ravel()])

    @property
    def initial(self) -> State:
        """Y, then Z, flat."""
        return self._initial

    def velocity(self, time: float, state: State) -> State:
        """dY/dt, then dZ/dt."""
        Y, Z = self.split(state)
        f = self.features(Z)
        errors = self.errors(self.predictions(f @ Y))
        dY = self.eta_y / self.classes * (f.T @ (errors / self.copies))
        dZ = self.attention_velocity(f, errors @ Y.T)
        return np.concatenate([dY.ravel(), dZ.ravel()])

    def split(self, state: State) -> tuple[Float[np.ndarray, "L J"], Float[np.ndarray, "Q L"]]:
        """Y and Z of a flat state."""
        size = len(self.tokens) * len(self.copies)
        return state[:size].reshape(len(self.tokens), -1), state[size:].reshape(-1, len(self.tokens))

    def attention_logits(self, state: State) -> Float[np.ndarray, "Q L"]:
        """Z."""
        return self.split(state)[1]

    def decoder(self, state: State) -> Float[np.ndarray, "L J"]:
        """Y."""
        return self.split(state)[0]

    def gradient_at_features(self, state: State, f: Float[np.ndarray, "K L"]) -> FeatureGradient:
        """v and alpha."""
        Y, _ = self.split(state)
        alpha = self.predictions(f @ Y)
        return self.errors(alpha) @ Y.T, alpha


class SelfAttentionDynamics(OneLayerDynamics):
    """The paper's self-attention dynamics: at all times Y = F(t) S(t), as if it had been trained on the present F alone.

    Theorem 1 of arXiv 2305.16380 gets Y (e_n - alpha_n) in the span of the f_n by holding F fixed while Y trains
    (eta_y >> eta_z), then lets F move under it. Y = F S with dS/dt = eta_y / K (e_n - alpha_n)_n is that step without
    further approximation. The gradient flow agrees with it to leading order in time from Y = 0, Z = 0; later its Y keeps
    a memory of earlier F, which pulls the attention back and which these dynamics lack (docs/papers/scan_snap.md#2.5).
    """

    @property
    def initial(self) -> State:
        """S (K, J), then Z, all zero, flat."""
        return np.zeros(self.classes * len(self.copies) + self.data.num_last * len(self.tokens))

    def velocity(self, time: float, state: State) -> State:
        """dS/dt, then dZ/dt."""
        S, Z = self.split(state)
        f = self.features(Z)
        errors = self.errors(self.predictions(f @ f.T @ S))
        dS = self.eta_y / self.classes * errors / self.copies
        dZ = self.attention_velocity(f, errors @ S.T @ f)
        return np.concatenate([dS.ravel(), dZ.ravel()])

    def split(self, state: State) -> tuple[Float[np.ndarray, "K J"], Float[np.ndarray, "Q L"]]:
        """S and Z of a flat state."""
        size = self.classes * len(self.copies)
        return state[:size].reshape(self.classes, -1), state[size:].reshape(-1, len(self.tokens))

    def attention_logits(self, state: State) -> Float[np.ndarray, "Q L"]:
        """Z."""
        return self.split(state)[1]

    def decoder(self, state: State) -> Float[np.ndarray, "L J"]:
        """Y = F S."""
        S, Z = self.split(state)
        return self.features(Z).T @ S

    def gradient_at_features(self, state: State, f: Float[np.ndarray, "K L"]) -> FeatureGradient:
        """v and alpha."""
        S, _ = self.split(state)
        alpha = self.predictions(f @ f.T @ S)
        return self.errors(alpha) @ S.T @ f, alpha
