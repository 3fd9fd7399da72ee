"""What llvmlite can run: single passes, and whole pipelines that hold the passes it does not offer one by one.

A pass is run by its name. See docs/papers/pass_order.md#2.1 for the action spaces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

from runs.errors import ConfigError, nearest, require

if TYPE_CHECKING:
    from llvmlite.binding import ModuleRef, PassBuilder, TargetMachine

Space = Literal["single", "function", "pipeline"]

RUNS = 32
"""Of passes, before builders are made anew."""
LEVELS = (1, 2, 3)
MINSIZE = "attr<minsize>"
FUNCTION = tuple(f"function<O{level}>" for level in LEVELS)
MODULE = tuple(f"default<O{level}>" for level in LEVELS)
REFERENCES: dict[str, tuple[str, ...]] = {
    "O0": (),
    **{f"O{level}": (name,) for level, name in zip(LEVELS, MODULE, strict=True)},
    "Oz*": (MINSIZE, "default<O2>"),
}
"""What each level runs. llvmlite has no level for size: its ``Oz*`` is level 2 on functions that ask for the least size."""

_NOT_PASSES = (  # they print, look, or prepare for a linker or a garbage collector
    "printer",
    "viewer",
    "verifier",
    "refprune",
    "internalize",
    "loop_extract",
    "module_debug_info",
    "aa_eval",
)


def single_passes() -> tuple[str, ...]:
    """Names of the passes that run alone, sorted.

    Raises
    ------
    MissingDependency
        llvmlite is absent.
    """
    manager = require("llvmlite.binding", "compiler").ModulePassManager
    return tuple(
        sorted(
            name.removeprefix("add_").removesuffix("_pass")
            for name in dir(manager)
            if name.startswith("add_") and not any(word in name for word in _NOT_PASSES)
        )
    )


def action_names(space: Space) -> tuple[str, ...]:
    """The actions of a space, in order.

    Raises
    ------
    ConfigError
        There is no such space.
    MissingDependency
        llvmlite is absent.
    """
    if space not in get_args(Space):
        raise ConfigError(f"compiler.space is '{space}'{nearest(space, get_args(Space))}")
    composites = {"single": (), "function": FUNCTION, "pipeline": (*FUNCTION, *MODULE, MINSIZE)}
    return (*single_passes(), *composites[space])


class Passes:
    """Runs passes on modules of one target; in a child process only, since a pass may abort.

    Parameters
    ----------
    machine
        The target.
    """

    def __init__(self, machine: TargetMachine) -> None:
        import llvmlite.binding as llvm

        self._llvm, self._machine = llvm, machine
        self._begin()

    def run(self, name: str, module: ModuleRef) -> None:
        """Change a module by the pass of that name."""
        self._left -= 1
        if not self._left:
            self._begin()
        if name not in self._runs:
            self._runs[name] = self._made(name)
        self._runs[name](module)

    def _begin(self) -> None:
        """Make new builders: every run leaves callbacks in its builder, which all later runs of it have to go through."""
        self._left = RUNS
        self._builders = {
            level: self._llvm.create_pass_builder(
                self._machine, self._llvm.create_pipeline_tuning_options(speed_level=level)
            )
            for level in LEVELS
        }
        self._runs: dict[str, Callable[[ModuleRef], None]] = {}

    def _made(self, name: str) -> Callable[[ModuleRef], None]:
        if name == MINSIZE:
            return _ask_for_least_size
        if name in MODULE:
            builder = self._builders[int(name[-2])]
            return lambda module: builder.getModulePassManager().run(module, builder)  # LLVM aborts at a second run
        if name in FUNCTION:
            builder = self._builders[int(name[-2])]
            return _on_each_function(builder.getFunctionPassManager(), builder)
        manager = self._llvm.create_new_module_pass_manager()
        add = getattr(manager, f"add_{name}_pass", None) or getattr(manager, f"add_{name}")
        add()
        return lambda module: manager.run(module, self._builders[2])


def _ask_for_least_size(module: ModuleRef) -> None:
    for function in module.functions:
        if not function.is_declaration:
            function.add_function_attribute("minsize")
            function.add_function_attribute("optsize")


def _on_each_function(manager: Any, builder: PassBuilder) -> Callable[[ModuleRef], None]:
    def run(module: ModuleRef) -> None:
        for function in module.functions:
            if not function.is_declaration:
                manager.run(function, builder)

    return run
