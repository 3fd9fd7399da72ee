"""The sizes at which benchmarks run; a module without imports, so that ``--help`` costs nothing."""

SIZES = ("toy", "small", "paper")
"""``toy`` only shows that a benchmark works; ``small`` are the experiments' ``*_small`` sizes, ``paper`` the papers'."""
