"""What a measured cost belongs to besides its tables: this machine and this software."""

from __future__ import annotations

import importlib.metadata
import os

from runs import environment
from runs.errors import ConfigError


def this_machine(package: str = "torch", device: str = "cpu") -> str:
    """Processor, cores and memory, or GPU, and the versions of the software; machines of one make have one name.

    A configuration holds it as ``machine: ${measured:data.sharding.oracles.machine.this_machine,torch,cpu}``, so that
    whatever is made from measurements, samples and networks alike, is never taken for that of another machine.
    """
    versions = [f"{name} {_version(name)}" for name in dict.fromkeys(("torch", package))]
    hardware = environment.hardware()
    if device == "cuda":
        import torch

        parts = [torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"]
    else:
        parts = [hardware["processor"], f"{os.cpu_count()} cores", f"{hardware['memory_gib']:.0f} GiB"]
    return ", ".join([*parts, *versions])


def refuse_another(machine: str | None, here: str) -> None:
    """Refuse measurements that were asked for on another machine.

    Raises
    ------
    ConfigError
        Names both.
    """
    if machine is not None and machine != here:
        raise ConfigError(
            f"device.machine is '{machine}', and this is '{here}'; costs of another machine are not measured here: run the "
            "command anew, or give a device that was fitted there with data/device=fitted"
        )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
