"""The messages of CompilerGym's service, made from the description that lies in its wheel (no code of it is run)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.compiler.compiler_gym.layout import REMEDY
from runs.errors import MissingDependency, require

if TYPE_CHECKING:
    from google.protobuf.message import Message

PACKAGE = "compiler_gym"
SERVICE = "CompilerGymService"
_CONSTANT = "serialized_pb"


class Messages:
    """Classes of messages by their names: ``messages.StepRequest(session_id=1)``.

    Parameters
    ----------
    path
        Python that protoc has written, in which the description stands as a constant.

    Raises
    ------
    MissingDependency
        protobuf is absent, or there is no such constant in the file.
    """

    def __init__(self, path: Path) -> None:
        require("google.protobuf", "compiler-gym")
        from google.protobuf import any_pb2, descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
        try:
            pool.AddSerializedFile(_description(path))
            self._service = pool.FindServiceByName(f"{PACKAGE}.{SERVICE}")
        except (OSError, SyntaxError, ValueError, TypeError, KeyError) as error:
            raise MissingDependency(
                f"no messages of CompilerGym are described in {path} ({error}); {REMEDY}"
            ) from error
        self._pool, self._class = pool, message_factory.GetMessageClass

    def __getattr__(self, name: str) -> type[Message]:
        if name.startswith("_"):
            raise AttributeError(name)
        made = self._class(self._pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        setattr(self, name, made)  # so that it is not sought again
        return made

    def calls(self) -> dict[str, tuple[str, type[Message], type[Message]]]:
        """What the service can be asked: path, request and reply of each call."""
        return {
            call.name: (
                f"/{self._service.full_name}/{call.name}",
                self._class(call.input_type),
                self._class(call.output_type),
            )
            for call in self._service.methods
        }


def _description(path: Path) -> Any:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.keyword) and node.arg == _CONSTANT:
            return ast.literal_eval(node.value)
    raise ValueError(f"it has no {_CONSTANT}")
