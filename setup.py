"""What pyproject.toml cannot say: a wheel has ``conf/`` inside ``runs/``, as the name alone is too common."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConfiguration(build_py):
    """Copies the configuration beside the code that composes it; an editable installation finds it where it is."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            source, target = Path(__file__).resolve().parent / "conf", Path(self.build_lib) / "runs" / "conf"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)


setup(cmdclass={"build_py": WithConfiguration})
