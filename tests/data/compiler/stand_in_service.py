"""A service that speaks CompilerGym's messages over gRPC, and compiles nothing.

Its programs are texts: numbers, whose sum is their count. Passes do to them what their names say. As the real one does, it
keeps programs by their names, lives until it is killed, and dies of what it cannot bear.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from tests.data.compiler.script import write_script

PASSES = ("-zero-first", "-halve", "-grow", "-abort", "-hang", "-say-nothing", "-end")
OBSERVATIONS = (
    *("IrInstructionCount", "IrInstructionCountO3", "IrInstructionCountOz", "Autophase", "InstCount"),
    *("Programl", "Bitcode", "Ir", "Unused"),
)
_TYPES = {"string": 9, "uint64": 4, "bytes": 12, "int64": 3, "sint64": 18, "int32": 5, "bool": 8}
_FIELDS = {
    "GetVersionRequest": "",
    "GetVersionReply": "service_version:1:string compiler_version:2:string",
    "GetSpacesRequest": "",
    "GetSpacesReply": "action_space_list:1:*ActionSpace observation_space_list:2:*ObservationSpace",
    "ActionSpace": "name:1:string space:2:Space",
    "ObservationSpace": "name:1:string",
    "Space": "any_value:24:google.protobuf.Any",
    "CommandlineSpace": "name:1:*string",
    "StartSessionRequest": "benchmark:4:Benchmark action_space:2:int32 observation_space:3:*int32",
    "StartSessionReply": "session_id:1:int64 observation:4:*Event",
    "Benchmark": "uri:1:string program:2:File",
    "File": "contents:1:bytes|data",
    "StepRequest": "session_id:1:int64 action:2:*Event observation_space:3:*int32",
    "StepReply": "end_of_session:1:bool action_had_no_effect:2:bool observation:4:*Event",
    "Event": (
        "int64_value:5:sint64|value string_value:8:string|value byte_tensor:10:ByteTensor|value "
        "int64_tensor:11:Int64Tensor|value any_value:15:google.protobuf.Any|value"
    ),
    "ByteTensor": "shape:1:*uint64 value:2:bytes",
    "Int64Tensor": "shape:1:*uint64 value:2:*sint64",
    "Opaque": "format:1:string data:2:bytes",
    "ForkSessionRequest": "session_id:1:int64",
    "ForkSessionReply": "session_id:1:int64",
    "EndSessionRequest": "session_id:1:int64",
    "EndSessionReply": "remaining_sessions:1:int32",
}
CALLS = ("GetVersion", "GetSpaces", "StartSession", "ForkSession", "EndSession", "Step")


def description() -> FileDescriptorProto:
    """The messages that are used here, with the numbers that CompilerGym gives their fields."""
    file = FileDescriptorProto(name="compiler_gym.proto", package="compiler_gym", syntax="proto3")
    file.dependency.append("google/protobuf/any.proto")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            field, _, oneof = field.partition("|")
            key, number, kind = field.split(":")
            several, kind = kind.startswith("*"), kind.lstrip("*")
            made = message.field.add(name=key, number=int(number))
            made.label = FieldDescriptorProto.LABEL_REPEATED if several else FieldDescriptorProto.LABEL_OPTIONAL
            made.type = _TYPES.get(kind, FieldDescriptorProto.TYPE_MESSAGE)
            if kind not in _TYPES:
                made.type_name = f".{kind}" if "." in kind else f".compiler_gym.{kind}"
            if oneof:
                if not message.oneof_decl:
                    message.oneof_decl.add(name=oneof)
                made.oneof_index = 0
    service = file.service.add(name="CompilerGymService")
    for name in CALLS:
        service.method.add(
            name=name, input_type=f".compiler_gym.{name}Request", output_type=f".compiler_gym.{name}Reply"
        )
    return file


def lay_out_stand_in(folder: Path) -> Path:
    """Put it where the real one would be."""
    programs = folder / "compiler_gym/envs/llvm/service"
    descriptors = folder / "compiler_gym/service/proto/compiler_gym_service_pb2.py"
    for path in (programs, descriptors.parent, folder / "site/llvm-v0/bin", folder / "lib"):
        path.mkdir(parents=True)
    (folder / "site/llvm-v0/bin/clang").touch()
    descriptors.write_text(
        f"DESCRIPTOR = _descriptor.FileDescriptor(serialized_pb={description().SerializeToString()!r})\n"
    )
    write_script(programs / "compiler_gym-llvm-service", f"from {__name__} import main\nmain()")
    return folder


class _Service:
    def __init__(self, messages: Any) -> None:
        self.messages = messages
        self.programs: dict[str, list[int]] = {}
        self.sessions: dict[int, list[int]] = {}
        self.started = 0

    def GetVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.messages.GetVersionReply(compiler_version="10.0.0 nowhere")

    def GetSpaces(self, request: Any, context: Any) -> Any:  # noqa: N802
        reply = self.messages.GetSpacesReply()
        space = reply.action_space_list.add(name="Stand-in").space
        space.any_value.Pack(self.messages.CommandlineSpace(name=PASSES))
        for name in OBSERVATIONS:
            reply.observation_space_list.add(name=name)
        return reply

    def StartSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        import grpc

        uri, content = request.benchmark.uri, request.benchmark.program.contents
        if content == b"crash":
            print("LLVM ERROR: Invalid record", file=sys.stderr, flush=True)
            signal.raise_signal(signal.SIGABRT)
        if uri not in self.programs:
            try:
                self.programs[uri] = [int(word) for word in content.split()]
            except ValueError:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f'Failed to parse LLVM bitcode: "{uri}"')
        return self.messages.StartSessionReply(session_id=self._session(self.programs[uri]))

    def ForkSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.messages.ForkSessionReply(session_id=self._session(self.sessions[request.session_id]))

    def EndSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        del self.sessions[request.session_id]
        return self.messages.EndSessionReply(remaining_sessions=len(self.sessions))

    def Step(self, request: Any, context: Any) -> Any:  # noqa: N802
        numbers = self.sessions[request.session_id]
        for action in request.action:
            name = PASSES[action.int64_value]
            if name == "-say-nothing":
                return self.messages.StepReply()
            self._apply(name, numbers)
        reply = self.messages.StepReply()
        for space in request.observation_space:
            self._observe(OBSERVATIONS[space], numbers, reply.observation.add())
        return reply

    def _session(self, numbers: list[int]) -> int:
        self.started += 1
        self.sessions[self.started] = list(numbers)
        return self.started

    def _apply(self, name: str, numbers: list[int]) -> None:
        if name == "-zero-first" and any(numbers):
            numbers[next(i for i, number in enumerate(numbers) if number)] = 0
        elif name == "-halve":
            numbers[:] = [number // 2 for number in numbers]
        elif name == "-grow":
            numbers[:] = [1000 * number for number in numbers]
        elif name == "-abort":
            print("Assertion `numbers' failed.", file=sys.stderr, flush=True)
            signal.raise_signal(signal.SIGABRT)
        elif name == "-hang":
            while True:
                sum(range(10**6))
        elif name == "-end":
            os._exit(3)

    def _observe(self, name: str, numbers: list[int], event: Any) -> None:
        if name.startswith("IrInstructionCount"):
            event.int64_value = {"O3": 3, "Oz": 2}.get(name[-2:], sum(numbers))
        elif name in ("Autophase", "InstCount"):
            event.int64_tensor.value.extend([sum(numbers)] * (56 if name == "Autophase" else 70))
        elif name == "Programl":
            nodes = [{"text": "add", "type": 0, "function": 0, "block": 0} for _ in range(sum(numbers))]
            links = [{"source": 0, "target": 1, "flow": 0, "position": 0}] if len(nodes) > 1 else []
            content = json.dumps({"nodes": nodes, "links": links}).encode()
            event.any_value.Pack(self.messages.Opaque(format="json://networkx/MultiDiGraph", data=content))
        elif name == "Bitcode":
            event.byte_tensor.value = " ".join(map(str, numbers)).encode()
        else:
            event.string_value = f"; {numbers}"


def main() -> None:
    """Serve until killed."""
    import grpc

    from data.compiler.compiler_gym.layout import Layout
    from data.compiler.compiler_gym.messages import Messages

    messages = Messages(Layout(Path(os.environ["COMPILER_GYM_RUNFILES"])).descriptors)
    folder = Path(sys.argv[1].partition("=")[2])
    assert (folder / "logs").is_dir()
    service = _Service(messages)
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(getattr(service, name), request.FromString, reply.SerializeToString)
        for name, (_, request, reply) in messages.calls().items()
    }
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("compiler_gym.CompilerGymService", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    (folder / "port.part").write_text(str(port))
    (folder / "port.part").rename(folder / "port.txt")
    threading.Event().wait()
