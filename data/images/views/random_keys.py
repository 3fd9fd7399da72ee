"""Random numbers by key instead of by order: the same for a sample on any device, in any batch, on any rank.

The generator is Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011), in integer arithmetic
on tensors. Key: the seed. Counter: sample, epoch, view, and purpose with the number of the block of four words.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from runs.errors import ConfigError

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF
BLOCK_BITS = 16


def philox(counter: tuple[Int[Tensor, ...], ...], key: tuple[int, int]) -> tuple[Int[Tensor, ...], ...]:
    """Four random words of each counter.

    Parameters
    ----------
    counter
        Four tensors of 32-bit words, held as int64; shapes that broadcast.
    key
        Two 32-bit words.

    Returns
    -------
    tuple of four tensors
        32-bit words, held as int64. Products wrap around at 64 bits, of which the two halves are used.
    """
    a, b, c, d = counter
    first, second = key
    for _ in range(ROUNDS):
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, c = ((right >> 32) & WORD) ^ b ^ first, ((left >> 32) & WORD) ^ d ^ second
        b, d = right & WORD, left & WORD
        first, second = (first + WEYL[0]) & WORD, (second + WEYL[1]) & WORD
    return a, b, c, d


def uniforms(
    seed: int, epoch: int, samples: Int[Tensor, " batch"], view: int, count: int, purpose: int = 0
) -> Float[Tensor, "batch {count}"]:
    """Uniform numbers on [0, 1), multiples of 2^-24.

    Parameters
    ----------
    seed
        Of the run, 0 to 2^64 - 1.
    epoch, view
        Not negative, below 2^32.
    samples
        Indices of the samples in their data set, below 2^32.
    count
        Numbers per sample.
    purpose
        Below 2^16; another purpose gives independent numbers.

    Raises
    ------
    ConfigError
        A number is outside its range: names it.
    """
    for name, value, bits in (("seed", seed, 64), ("epoch", epoch, 32), ("view", view, 32), ("purpose", purpose, 16)):
        if not 0 <= value < 1 << bits:
            raise ConfigError(f"{name} is {value}; random numbers take a {name} from 0 to 2^{bits} - 1")
    blocks = torch.arange(-(-count // 4), device=samples.device) + (purpose << BLOCK_BITS)
    sample = samples.to(torch.int64)[:, None].expand(-1, len(blocks))
    words = philox(
        (sample, torch.full_like(sample, epoch), torch.full_like(sample, view), blocks.expand_as(sample)),
        (seed & WORD, seed >> 32),
    )
    return (torch.stack(words, dim=-1).flatten(1)[:, :count] >> 8).float() * 2**-24
