"""``python -m benchmarks [NAME ...] [--size toy|small|paper] [--repeats N]``: speed, side by side with peers."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.sizes import SIZES
from runs.interrupt import Interrupted

NAMES = (
    "sub_ilp",
    "lp",
    "generators",
    "mps",
    "startup",
    "training_dynamics",
    "lns",
    "features",
    "policy",
    "ssl_losses",
    "views",
    "image_files",
    "sharding_training",
    "sharding_search",
    "sharding_planners",
    "surco_routing",
    "surco_fdfd",
    "surco_generator",
    "pass_order_backends",
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, or all, and return the exit code: 0 even where a target is missed, which load can cause."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Speed, side by side with peers, as ratios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--size", choices=SIZES, default="small", help="size of the instances (default: small)")
    parser.add_argument("--repeats", type=int, default=None, help="rounds (default: each benchmark's own)")
    folder = Path(os.environ.get("REPRISE_OUTPUTS", "outputs")) / "benchmarks"
    parser.add_argument("--output", type=Path, default=folder, help=f"folder for JSON and CSV (default: {folder})")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if options.repeats is not None and options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; it must be at least 1")
    for name in THREADS:
        os.environ.setdefault(name, "1")  # before numpy is imported: one thread, as the solvers
    try:
        for name in options.names or NAMES:
            run(name, options.size, options.repeats, options.output)
    except Interrupted as stop:
        print(f"{stop}; the cases that were finished are saved", file=sys.stderr)
        return 128 + stop.signal_number
    return 0


def run(name: str, size: str, repeats: int | None, folder: Path) -> None:
    """Run one benchmark, print its tables and save them after each case."""
    from benchmarks.harness import Harness
    from benchmarks.output import circumstances, describe, save, show

    benchmark = importlib.import_module(f"benchmarks.{name}")
    harness = Harness(repeats or benchmark.REPEATS[size], lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    facts = circumstances(size, harness.repeats)
    print(f"\n{name}: {(benchmark.__doc__ or '').splitlines()[0]}\n{describe(facts)}", flush=True)
    rows = []
    for case in benchmark.cases(size):
        measured = harness.compare(case)
        show(measured, case.baseline)
        rows += measured
        save(folder, name, rows, facts)


if __name__ == "__main__":
    sys.exit(main())
