"""Secrets of the environment, which no record, message or dashboard may show.

A variable is secret by its name: ``WANDB_API_KEY``, ``HF_TOKEN``, ``DATABASE_PASSWORD``. A configuration that reads one gets
its value; what is written down of it is :data:`HIDDEN`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.resolvers import oc

HIDDEN = "***"
_WORDS = frozenset(
    {
        "KEY",
        "APIKEY",
        "TOKEN",
        "SECRET",
        "SECRETS",
        "PASSWORD",
        "PASSWD",
        "PASS",
        "PASSPHRASE",
        "CREDENTIAL",
        "CREDENTIALS",
    }
)
_depth = 0
_SHORTEST = 8
"""A shorter value is hidden only where it is read: as a part of other texts it may be there by chance."""


def is_secret(variable: str) -> bool:
    """Whether an environment variable of this name holds a secret."""
    return not _WORDS.isdisjoint(variable.upper().replace("-", "_").split("_"))


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A resolved configuration in plain containers, as it may be written down."""
    with hidden():
        content: Any = OmegaConf.to_container(cfg, resolve=True)
    return without_secrets(content)


def without_secrets(value: Any) -> Any:
    """A text, or all texts in plain containers, with the values of secret variables hidden."""
    found = [text for name, text in os.environ.items() if is_secret(name) and len(text) >= _SHORTEST]
    secrets = sorted(found, key=len, reverse=True)

    def hide(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {key: hide(item) for key, item in part.items()}
        if isinstance(part, (list, tuple)):
            return [hide(item) for item in part]
        if isinstance(part, str):
            for text in secrets:
                part = part.replace(text, HIDDEN)
        return part

    return hide(value)


def kept_out_of_logs() -> None:
    """Hide secrets in all that this process logs from now on, tracebacks included."""
    logging.setLogRecordFactory(_record)


def _record(*arguments: Any, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **more)
    record.msg, record.args = without_secrets(record.getMessage()), None
    if record.exc_info:
        record.exc_text = without_secrets(logging.Formatter().formatException(record.exc_info))  # type: ignore[arg-type]
    return record


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Let ``${oc.env:...}`` read :data:`HIDDEN` from secret variables while the block runs, within another such, too."""
    global _depth
    _depth += 1
    OmegaConf.register_new_resolver("oc.env", _read, replace=True)
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _read(key: str, *default: Any) -> str | None:
    return HIDDEN if is_secret(key) else oc.env(key, *default)
