"""The peer of ``training_dynamics``: one run of Fig. 6 of Scan and Snap as a process, drawing sample by sample.

``python -m benchmarks.single_training NUM_LAST STEPS SEED`` prints the CPU seconds of the training without start-up.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch import Tensor, nn

BATCH, LENGTH, COMMON, DISTINCT, NEXT_PER_LAST = 128, 128, 10, 10, 2


class Model(nn.Module):
    """Attention of the last token over the tokens before it, LN without centring, decoder; in all M tokens."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.Z = nn.Linear(vocabulary, vocabulary, bias=False)
        self.Y = nn.Linear(vocabulary, vocabulary, bias=False)

    def forward(self, tokens: Tensor, last: Tensor) -> Tensor:
        """Logits (batch, vocabulary) of tokens (batch, T - 1) and query tokens (batch,)."""
        x = nn.functional.one_hot(tokens, self.Z.in_features).float()
        b = self.Z.weight.T[last].gather(1, tokens).softmax(1)
        c = torch.einsum("bt,btv->bv", b, x)
        return self.Y(nn.functional.normalize(c, dim=1))


def train(num_last: int, steps: int, seed: int, eta_z: float = 1.0, ratio: float = 1.0) -> Model:
    """One cell with one seed."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classes = num_last * NEXT_PER_LAST
    context = COMMON + classes * DISTINCT
    table = np.zeros((classes, context))
    table[:, :COMMON] = 1
    for n in range(classes):
        first = COMMON + n * DISTINCT
        table[n, first : first + DISTINCT] = np.linspace(0.1, 1, DISTINCT)
    table /= table.sum(1, keepdims=True)
    model = Model(context + num_last + classes)
    rates = ((model.Z, eta_z), (model.Y, eta_z * ratio))
    optimizer = torch.optim.SGD([{"params": part.parameters(), "lr": rate} for part, rate in rates], momentum=0.9)
    for _ in range(steps):
        samples = []
        for _ in range(BATCH):
            n = int(rng.integers(classes))
            samples.append((rng.choice(context, LENGTH - 1, p=table[n]), context + n // NEXT_PER_LAST, n))
        tokens, last, target = (torch.from_numpy(np.array(column)) for column in zip(*samples, strict=True))
        loss = nn.functional.cross_entropy(model(tokens, last), context + num_last + target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


if __name__ == "__main__":
    began = time.process_time()
    train(*(int(argument) for argument in sys.argv[1:4]))
    print(time.process_time() - began)
