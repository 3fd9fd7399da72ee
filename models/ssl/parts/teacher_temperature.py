"""The temperature of a teacher's softmax over the epochs (dino, ibot, dinov2)."""

from __future__ import annotations


def teacher_temperature(epoch: int, start: float, end: float, warmup: int) -> float:
    """Linear from ``start`` in the first epoch to ``end`` in the last of ``warmup``, then ``end`` (DINO, appendix A)."""
    return end if epoch >= warmup else start + (end - start) * epoch / max(warmup - 1, 1)
