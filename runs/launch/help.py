"""``launch.py --help``: the experiments by paper, read from the comments of their files and rows; nothing heavy imported."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from runs.launch.rows import choices

USAGE = """Reprise: one launcher, ten papers of learning-guided search and representation learning.

  python launch.py experiment=lb_relax/demo               a paper's effect in minutes
  python launch.py experiment=lb_relax/files data.path=F   any method on your own MPS or LP files
  python launch.py experiment=... solver=... seed=3        change one thing
  python launch.py -m experiment=... 'seed=range(0,5)'     a sweep; the same command again goes on where it stopped
  python launch.py ... hydra/launcher=submitit_slurm       the same on a cluster
  python launch.py ... --cfg job --resolve                 show the configuration, run nothing
  python launch.py ... --where optimizer.lr                who sets that: files, rows, overrides, the last one marked

force=true redoes a finished run, debug=true shows tracebacks. --hydra-help lists Hydra's own flags.
"""


def render(conf: Path) -> str:
    """The help text for the configuration folder ``conf``.

    Raises
    ------
    ConfigError
        A table of rows breaks the format.
    """
    lines = [USAGE, "Experiments (experiment=...):"]
    for paper, experiments in groupby(
        choices(conf, "experiment"), lambda choice: choice.group.removeprefix("experiment/")
    ):
        lines.append(f"\n  {paper}")
        rows = [(f"{paper}/{choice.name}", choice.purpose) for choice in experiments]
        lines += [f"    {name:<34} {text}" for name, text in rows if text]
    lines.append("\nGroups (GROUP=NAME):")
    others = (choice for choice in choices(conf) if not choice.group.startswith("experiment"))
    lines += [
        f"  {group:<18} {', '.join(choice.name for choice in names)}"
        for group, names in groupby(others, lambda choice: choice.group)
    ]
    return "\n".join(lines)
