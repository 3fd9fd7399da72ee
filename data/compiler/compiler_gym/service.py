"""CompilerGym's service, started and asked; in a child process of ours only, since its channel does not survive a fork."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from data.compiler.compiler_gym.layout import Layout
from data.compiler.compiler_gym.messages import Messages
from data.compiler.requests import Unreadable
from runs import child, child_start
from runs.errors import SolverFailure, require
from runs.text import one_line

if TYPE_CHECKING:
    from google.protobuf.message import Message

COUNT = "IrInstructionCount"
OBSERVED = (COUNT, f"{COUNT}O3", f"{COUNT}Oz", "Autophase", "InstCount", "Programl", "Bitcode", "Ir")
"""Observation spaces that are needed here."""
_START_SECONDS = 30.0
_END_SECONDS = 5.0  # what a service that does not answer any more may take to end
_POLL_SECONDS = 0.005
_PROGRAMS = "benchmark://reprise-v0/"
_URI = re.compile(rf':? "{_PROGRAMS}\w+"')
_OFTEN_SECONDS = 0.3
_FIRST = "GetVersion"
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]


class ProtocolViolation(SolverFailure):
    """The service answers otherwise than CompilerGym's does."""


class Service:
    """A service at work. It ends with the process that started it; this process ends as it does, when it dies of a pass.

    Parameters
    ----------
    layout
        Where it lies.
    folder
        Empty and its own: it writes here.

    Raises
    ------
    ProtocolViolation
        It does not start, or answers otherwise than expected.
    """

    def __init__(self, layout: Layout, folder: Path) -> None:
        grpc = require("grpc", "compiler-gym")
        self.messages = Messages(layout.descriptors)
        (folder / "logs").mkdir()
        self._stack = contextlib.ExitStack()
        self._process = self._stack.enter_context(
            child.started(
                [layout.program, f"--working_dir={folder}"],
                limits=child.Limits(),
                environment=child.bare_environment(**layout.environment()),
                folder=folder,
                stdout=2,
            )
        )
        self._allowed, self._said = 0.0, 0.0
        self._memory = psutil.Process(self._process.pid)
        channel = grpc.insecure_channel(f"127.0.0.1:{self._port(folder / 'port.txt')}", options=_OPTIONS)
        self._stack.callback(channel.close)
        self._failure = grpc.RpcError
        self._calls = {
            name: (
                request,
                channel.unary_unary(
                    path, request_serializer=request.SerializeToString, response_deserializer=reply.FromString
                ),
            )
            for name, (path, request, reply) in self.messages.calls().items()
        }
        self.version = self._call(_FIRST).compiler_version.partition(" ")[0]
        self.space, self.actions, self._observations = self._spaces()

    def _port(self, path: Path) -> int:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if (code := self._process.wait(0)) is not None:
                raise ProtocolViolation(f"the service did not start: {child.cause(code)}")
            with contextlib.suppress(OSError, ValueError):
                return int(path.read_text())
            time.sleep(_POLL_SECONDS)
        raise ProtocolViolation(f"the service names no port within {_START_SECONDS:g} s")

    def _spaces(self) -> tuple[str, dict[str, int], dict[str, int]]:
        reply = self._call("GetSpaces")
        observations = {space.name: i for i, space in enumerate(reply.observation_space_list)}
        if missing := [name for name in OBSERVED if name not in observations]:
            raise ProtocolViolation(f"the service has no observation space '{missing[0]}'")
        commands = self.messages.CommandlineSpace()
        if not (reply.action_space_list and reply.action_space_list[0].space.any_value.Unpack(commands)):
            raise ProtocolViolation("the service has no action space of passes")
        actions = {name: i for i, name in enumerate(commands.name)}
        if not actions or len(actions) < len(commands.name):
            raise ProtocolViolation("the service names no passes, or one twice")
        return reply.action_space_list[0].name, actions, observations

    def start(self, digest: str, bitcode: bytes) -> int:
        """A session with a program. The service keeps programs by their names, so the name is the hash of the content.

        Raises
        ------
        Unreadable
            It is no bitcode that LLVM 10 reads.
        """
        benchmark = self.messages.Benchmark(uri=f"{_PROGRAMS}{digest}", program=self.messages.File(contents=bitcode))
        return self._call("StartSession", benchmark=benchmark, action_space=0).session_id

    def fork(self, session: int) -> int:
        """Another in the same state."""
        return self._call("ForkSession", session_id=session).session_id

    def end(self, session: int) -> None:
        """Forget a session."""
        self._call("EndSession", session_id=session)

    def step(self, session: int, passes: Sequence[str], observation: str) -> Message:
        """Apply passes, and observe after the last."""
        event = self.messages.Event
        reply = self._call(
            "Step",
            session_id=session,
            action=[event(int64_value=self.actions[name]) for name in passes],
            observation_space=[self._observations[observation]],
        )
        if len(reply.observation) != 1:
            raise ProtocolViolation(f"the service gives {len(reply.observation)} observations for one")
        return reply.observation[0]

    def count(self, session: int, passes: Sequence[str] = (), observation: str = COUNT) -> int:
        """Apply passes; instructions after the last, or another number."""
        event: Any = self.step(session, passes, observation)
        if event.WhichOneof("value") != "int64_value" or event.int64_value < 0:
            raise ProtocolViolation(f"the service's {observation} is no count")
        return event.int64_value

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        try:
            return self._memory.memory_info().rss
        except psutil.Error:
            return 0

    def allow(self, cpu_seconds: float) -> None:
        """Let it use so much CPU time from now on, or from a moment ago: to say so costs as much as a small pass."""
        now = time.monotonic()
        if cpu_seconds != self._allowed or now > self._said + _OFTEN_SECONDS:
            self._process.allow(cpu_seconds)
            self._allowed, self._said = cpu_seconds, now

    def close(self) -> None:
        """End it."""
        self._stack.close()

    def _call(self, name: str, **fields: Any) -> Any:
        request, call = self._calls[name]
        try:
            return call(
                request(**fields), timeout=None if name != _FIRST else _START_SECONDS, wait_for_ready=name == _FIRST
            )
        except self._failure as error:
            details = one_line(str(error.details()))
            unheard = error.code().name in ("UNAVAILABLE", "CANCELLED", "UNKNOWN")
            if (code := self._process.wait(_END_SECONDS if unheard else 0)) is not None:
                child_start.end_as(code)
            if name == "StartSession" and not unheard:
                raise Unreadable(_URI.sub("", details)) from error
            raise ProtocolViolation(f"the service answers {name} by {error.code().name}: {details}") from error
