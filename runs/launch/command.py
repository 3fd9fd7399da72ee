"""The command line: compose, answer mistakes with one clear line, then hand the jobs to Hydra."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs import interrupt
from runs.errors import ConfigError, InvalidProblem, MissingDependency, RepriseError
from runs.launch.mistakes import CONF, all_keys, clear_mistakes, is_configuration, nearest_listed
from runs.launch.output import lasting
from runs.text import printable

USAGE_ERROR = 2

REFUSED = {
    "config_name": "experiment=NAME chooses what to run",
    "config_path": "--config-dir FOLDER adds a folder of your own",
    "experimental_rerun": "the command that a run's report prints makes it again",
}
"""Options of Hydra's that would be ignored, and what to do instead."""

ELSEWHERE = "paths.outputs and paths.cache (or REPRISE_OUTPUTS and REPRISE_CACHE) put results elsewhere"
REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT),
        f"free some space and give the same command again, it goes on from here; {ELSEWHERE}",
    ),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), f"give yourself permission to write there; {ELSEWHERE}"),
}
"""What to do where the disk refuses."""

Job = Callable[[Any], float | None]


def main(job: Job, arguments: list[str] | None = None) -> int:
    """Run the command ``arguments`` (default: this process's) with ``job`` as the work of one run; return the exit code.

    0: every run finished. 1: a run failed. 2: the command or its configuration is wrong. 128 + n: stopped by signal n.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    with lasting(), interrupt.listening():
        return _main(job, arguments)


def _main(job: Job, arguments: list[str]) -> int:
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
    print(f"error: {printable(' '.join(line.splitlines()))}", file=sys.stderr)
    wrong_command = isinstance(error, ConfigError | InvalidProblem | MissingDependency) or is_configuration(error)
    return USAGE_ERROR if wrong_command else 1


def _dispatch(job: Job, arguments: list[str]) -> int:
    import hydra
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import get_args_parser
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from runs.launch.config_folder import ConfigLoader, compose, register
    from runs.launch.settings import check, doubt_of_score, plain_seed
    from runs.names import register_resolvers
    from runs.secret import kept_out_of_logs

    kept_out_of_logs()
    register_resolvers()
    _prepare_ray(arguments)
    parser = get_args_parser()
    parser.add_argument("--where", metavar="KEY")
    options, rest = parser.parse_known_args(arguments)
    if unknown := [text for text in rest if text.startswith("-")]:
        raise ConfigError(f"unknown option {unknown[0]}; `python launch.py --help` lists what there is")
    for name, remedy in REFUSED.items():
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} does nothing here; {remedy}")
    options.overrides += rest
    register()
    if options.hydra_help or options.info is not None or options.shell_completion:
        sys.argv[1:] = arguments
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
        return 0
    hydra.version.setbase("1.3")
    loader = ConfigLoader(_search_path(options.config_dir))
    application = Hydra("launch", loader)
    GlobalHydra.instance().initialize(application)
    _replace_plugin_configurations()
    overrides = [plain_seed(text) for text in options.overrides]
    try:
        if options.cfg:
            with clear_mistakes(loader, overrides):
                application.show_cfg("config", overrides, options.cfg, options.package, options.resolve)
            return 0
        cfg = compose(loader, overrides)
        if options.where:
            print(_where(application, cfg, overrides, options.where))
            return 0
        sweeps = not options.run and (options.multirun or cfg.hydra.mode == RunMode.MULTIRUN)
        mode = RunMode.MULTIRUN if sweeps else RunMode.RUN
        overrides = [text for text in overrides if not text.startswith("hydra.mode=")]
        overrides.append(f"hydra.mode={mode.name}")
        HydraConfig.instance().set_config(cfg)
        check(cfg)
        if doubt := doubt_of_score(cfg):
            print(printable(doubt), file=sys.stderr)
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
    known = [*composition.groups(), *all_keys(application.config_loader, overrides)]
    raise ConfigError(f"nothing sets '{key}' here{nearest_listed(key, known)}")


def _prepare_ray(arguments: list[str]) -> None:
    """Set what Ray reads when Hydra imports its launcher: no usage report; for a cluster of its own, loopback and a token.

    A worker that takes more than Ray's minute to start, as on a loaded machine, would be started anew for ever.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
    joins = "RAY_ADDRESS" in os.environ or any("ray.init.address=" in text for text in arguments)
    if not joins:  # Ray's name for what makes it listen on loopback alone; else it does on all interfaces
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
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
    from omegaconf import OmegaConf

    from runs.launch.reporting import report, show_as

    errors: list[Exception] = []

    def guarded(cfg: Any) -> float | None:  # Hydra would print two more lines about an exception
        try:
            return job(cfg)
        except Exception as error:
            errors.append(error)
            return None

    with clear_mistakes(application.config_loader, overrides):
        result = application.run("config", guarded, overrides)
    if errors:
        raise errors[0]
    folder = Path(result.hydra_cfg.hydra.runtime.output_dir)
    show_as(folder, OmegaConf.to_container(result.cfg.report, resolve=True))
    return report(folder)


def explain(error: BaseException) -> str | None:
    """One clear line for an error a user can cause, or None for a defect of the program (which shows its traceback)."""
    if isinstance(error, RepriseError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        remedy = REMEDIES.get(error.errno or 0)
        return f"{error.filename or 'file system'}: {error.strerror}{f'; {remedy}' if remedy else ''}"
    if is_configuration(error):
        return " ".join(str(error).split())
    return None
