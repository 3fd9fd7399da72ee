"""The command line: compose, answer mistakes with one clear line, then hand the jobs to Hydra."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runs.errors import ConfigError, InvalidProblem, MissingDependency, RepriseError, nearest
from runs.files import read_json
from runs.launch.rows import choices

CONF = Path(__file__).resolve().parents[2] / "conf"
USAGE_ERROR = 2
RENAMED = {"data/tables": "data/tabular"}
"""Groups whose choices had another name."""

Job = Callable[[Any], float | None]


def main(job: Job, arguments: list[str] | None = None) -> int:
    """Run the command ``arguments`` (default: this process's) with ``job`` as the work of one run; return the exit code.

    0: every run finished. 1: a run failed. 2: the command or its configuration is wrong. 128 + n: stopped by signal n.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if {"-h", "--help"} & set(arguments):
            from runs.launch.help import render

            print(render(CONF))
            return 0
        return _dispatch(job, arguments)
    except BaseException as error:
        if any(text.replace(" ", "") in ("debug=true", "+debug=true") for text in arguments):
            raise
        return _say(error)


def _say(error: BaseException) -> int:
    from runs.interrupt import Interrupted

    if isinstance(error, Interrupted):
        print(f"{error}; the same command goes on from here", file=sys.stderr)
        return 128 + error.signal_number
    if isinstance(error, KeyboardInterrupt):
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    line = explain(error)
    if line is None:
        raise error
    print(f"error: {line}", file=sys.stderr)
    wrong_command = isinstance(error, ConfigError | InvalidProblem | MissingDependency) or is_configuration(error)
    return USAGE_ERROR if wrong_command else 1


def _dispatch(job: Job, arguments: list[str]) -> int:
    import hydra
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import get_args_parser
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from runs.launch.config_folder import register
    from runs.names import register_resolvers

    register_resolvers()
    _prepare_ray(arguments)
    parser = get_args_parser()
    parser.add_argument("--where", metavar="KEY")
    options, rest = parser.parse_known_args(arguments)
    if unknown := [text for text in rest if text.startswith("-")]:
        raise ConfigError(f"unknown option {unknown[0]}; `python launch.py --help` lists what there is")
    options.overrides += rest
    register()
    if options.hydra_help or options.info is not None or options.shell_completion:
        sys.argv[1:] = arguments
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
        return 0
    hydra.version.setbase("1.3")
    application = Hydra.create_main_hydra2("launch", _search_path(options.config_dir))
    _replace_plugin_configurations()
    try:
        if options.cfg:
            with _clear_mistakes(application, options.overrides):
                application.show_cfg("config", options.overrides, options.cfg, options.package, options.resolve)
            return 0
        with _clear_mistakes(application, options.overrides):
            cfg = application.compose_config(
                "config",
                options.overrides,
                RunMode.MULTIRUN,
                with_log_configuration=False,
                validate_sweep_overrides=False,
            )
        if options.where:
            print(_where(application, cfg, options.overrides, options.where))
            return 0
        mode = RunMode.MULTIRUN if options.multirun or cfg.hydra.mode == RunMode.MULTIRUN else RunMode.RUN
        overrides = [text for text in options.overrides if not text.startswith("hydra.mode=")]
        overrides.append(f"hydra.mode={mode.name}")
        HydraConfig.instance().set_config(cfg)
        if mode == RunMode.MULTIRUN:
            from runs.launch.sweep import run_sweep

            return run_sweep(application, job, cfg, overrides)
        return _run_once(application, job, overrides)
    finally:
        GlobalHydra.instance().clear()


def _where(application: Any, cfg: Any, overrides: list[str], key: str) -> str:
    from hydra.core.hydra_config import HydraConfig

    from runs.launch.where import Composition, render

    HydraConfig.instance().set_config(cfg)
    composition = Composition(application.config_loader, overrides)
    if told := render(composition, cfg, key):
        return told
    known = [*composition.groups(), *_all_keys(application, overrides)]
    raise ConfigError(f"nothing sets '{key}' here{_nearest(key, known)}")


def _prepare_ray(arguments: list[str]) -> None:
    """Set what Ray reads when Hydra imports its launcher: no usage report, and a token for this command's own cluster.

    A worker that takes more than Ray's minute to start, as on a loaded machine, would be started anew for ever.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
    joins = "RAY_ADDRESS" in os.environ or any("ray.init.address=" in text for text in arguments)
    if not joins and "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _replace_plugin_configurations() -> None:
    """Let ``conf/hydra/*/NAME.yaml`` stand alone; Hydra would merge it with what a plugin registered as NAME, and warn."""
    from hydra.core.config_store import ConfigStore

    registered = ConfigStore.instance().repo["hydra"]
    for path in (CONF / "hydra").glob("*/*.yaml"):
        registered.get(path.parent.name, {}).pop(path.name, None)


def _search_path(config_dir: str | None) -> Any:
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery

    from runs.environment import OWN_CONFIGURATION

    path = create_config_search_path(str(CONF))
    if config_dir:
        folder = Path(config_dir).resolve()
        if not folder.is_dir():
            raise ConfigError(f"--config-dir {config_dir}: there is no such folder")
        path.prepend(provider=OWN_CONFIGURATION, path=f"file://{folder}", anchor=SearchPathQuery(provider="main"))
    return path


def _run_once(application: Any, job: Job, overrides: list[str]) -> int:
    errors: list[Exception] = []

    def guarded(cfg: Any) -> float | None:  # Hydra would print two more lines about an exception
        try:
            return job(cfg)
        except Exception as error:
            errors.append(error)
            return None

    with _clear_mistakes(application, overrides):
        result = application.run("config", guarded, overrides)
    if errors:
        raise errors[0]
    return report(Path(result.hydra_cfg.hydra.runtime.output_dir))


def report(folder: Path) -> int:
    """Build the report of a run and print its summary; both are there already if nothing has happened since."""
    told, finished = folder / "summary.txt", folder / "metrics.json"
    if told.exists() and finished.exists() and told.stat().st_mtime >= finished.stat().st_mtime:
        print(told.read_text(), end="")
        return 1 if (read_json(finished) or {}).get("instance_errors") else 0
    from runs.report.build import build, print_to_terminal

    summary = build(folder)
    print_to_terminal(summary)
    return 0 if summary.whole else 1


@contextlib.contextmanager
def _clear_mistakes(application: Any, overrides: list[str]) -> Iterator[None]:
    """Turn what Hydra says of an unusable configuration into a :class:`ConfigError` with the nearest name."""
    from hydra.errors import HydraException

    try:
        yield
    except HydraException as error:
        raise ConfigError(_composition_mistake(application, overrides, error)) from error


def _composition_mistake(application: Any, overrides: list[str], error: BaseException) -> str:
    text = str(error)
    if found := re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']+)'", text):
        wanted = found.group(1)
        group, _, name = wanted.rpartition("/")
        if group in RENAMED:
            return f"'{wanted}' is now '{RENAMED[group]}/{name}'"
        return f"there is no '{wanted}'{_nearest(wanted, _choices_like(application, wanted))}"
    if found := re.search(r"Could not override '([^']+)'\.\s*No match in the defaults list", text):
        group = found.group(1)
        known = sorted({choice.group for choice in choices(CONF)})
        return f"nothing chooses '{group}' here{_nearest(group, known)}"
    if found := re.search(r"Could not override '([^']+)'", text):
        return f"there is no setting '{found.group(1)}'{_nearest(found.group(1), _all_keys(application, overrides))}"
    if type(error).__name__ == "OverrideParseException":
        return f"'{getattr(error, 'override', text)}' is not a setting=value: {' '.join(text.split())}"
    cause = error.__cause__ or error
    return " ".join(f"{text} {cause if cause is not error and str(cause) not in text else ''}".split())


def _nearest(name: str, known: list[str]) -> str:
    return nearest(name, known, "`python launch.py --help` lists what there is")


def _choices_like(application: Any, wanted: str) -> list[str]:
    """All that the group which ``wanted`` names offers, as ``group/choice``; that of all groups if there is none."""
    folders = [Path(source.path) for source in application.config_loader.get_sources() if source.scheme() == "file"]
    found = [f"{choice.group}/{choice.name}" for folder in folders for choice in choices(folder)]
    if wanted.startswith("hydra/"):
        group = wanted.rsplit("/", 1)[0]
        found += [f"{group}/{name}" for name in application.config_loader.get_group_options(group)]
    top = wanted.split("/")[0]
    same = [name for name in found if name.split("/")[0] == top]
    return same or found


def _all_keys(application: Any, overrides: list[str]) -> list[str]:
    """Dotted names of all settings, composed from the group choices and the overrides that do work."""
    from hydra.types import RunMode
    from omegaconf import DictConfig, open_dict

    is_group = application.config_loader.repository.group_exists
    groups = [text for text in overrides if is_group(text.split("=")[0].split("@")[0].lstrip("+~"))]
    cfg = application.compose_config("config", groups, run_mode=RunMode.MULTIRUN, with_log_configuration=False)
    keys: list[str] = []

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            keys.append(f"{prefix}{key!s}")
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not (
                child._is_none() or child._is_missing() or child._is_interpolation()
            ):
                walk(child, f"{prefix}{key!s}.")

    with open_dict(cfg):
        del cfg["hydra"]
    walk(cfg, "")
    return keys


def is_configuration(error: BaseException) -> bool:
    """True for what Hydra and OmegaConf raise when a configuration is unusable."""
    return type(error).__module__.split(".")[0] in ("hydra", "omegaconf")


def explain(error: BaseException) -> str | None:
    """One clear line for an error a user can cause, or None for a defect of the program (which shows its traceback)."""
    if isinstance(error, RepriseError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'file system'}: {error.strerror}"
    if is_configuration(error):
        return " ".join(str(error).split())
    return None
