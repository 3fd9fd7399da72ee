"""``launch.py --help``: the experiments by paper, read from the comments on top of their files; nothing heavy imported."""

from __future__ import annotations

from pathlib import Path

USAGE = """Reprise: one launcher, ten papers of learning-guided search and representation learning.

  python launch.py experiment=lb_relax/demo               a paper's effect in minutes
  python launch.py experiment=lb_relax/files data.path=F   any method on your own MPS or LP files
  python launch.py experiment=... solver=... seed=3        change one thing
  python launch.py -m experiment=... 'seed=range(0,5)'     a sweep; the same command again goes on where it stopped
  python launch.py ... hydra/launcher=submitit_slurm       the same on a cluster
  python launch.py ... --cfg job --resolve                 show the configuration, run nothing

force=true redoes a finished run, debug=true shows tracebacks. --hydra-help lists Hydra's own flags.
"""


def render(conf: Path) -> str:
    """The help text for the configuration folder ``conf``."""
    lines = [USAGE, "Experiments (experiment=...):"]
    for paper in sorted(path for path in (conf / "experiment").iterdir() if path.is_dir()):
        lines.append(f"\n  {paper.name}")
        rows = [(f"{paper.name}/{path.stem}", purpose(path)) for path in sorted(paper.glob("*.yaml"))]
        lines += [f"    {name:<34} {text}" for name, text in rows if text]
    lines.append("\nGroups (GROUP=NAME):")
    lines += [f"  {group:<18} {', '.join(names)}" for group, names in groups(conf)]
    return "\n".join(lines)


def purpose(path: Path) -> str:
    """The line that says what an experiment shows: the second comment of its file, under the command that runs it."""
    comments = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                break
            if not line.startswith("# @package"):
                comments.append(line.lstrip("# ").rstrip())
    return comments[1] if len(comments) > 1 and comments[0].startswith("python launch.py") else ""


def groups(conf: Path) -> list[tuple[str, list[str]]]:
    """Configuration groups other than experiments, with their choices; names with a leading underscore are internal."""
    found: dict[str, list[str]] = {}
    for path in sorted(conf.rglob("*.yaml")):
        place = path.relative_to(conf)
        if place.parts[0] != "experiment" and len(place.parts) > 1 and not path.stem.startswith("_"):
            found.setdefault(str(place.parent), []).append(path.stem)
    return sorted(found.items())
