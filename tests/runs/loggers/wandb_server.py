"""A stand-in W&B server on loopback: enough of GraphQL, file_stream and uploads for one run, and ways to misbehave."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StandInServer:
    """``mode`` is ``works``, ``error`` (500 to everything) or ``hangs`` (takes requests, never answers).

    ``stop()`` makes it die: connections break and new ones are refused.
    """

    def __init__(self, mode: str = "works") -> None:
        self.mode = mode
        self.history: list[dict[str, Any]] = []
        self.upserts: list[dict[str, Any]] = []
        self.uploads: dict[str, bytes] = {}
        self.operations: list[str] = []
        self.exit_codes: list[int] = []
        self.released = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.stand_in = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._http.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def wait_for_history(self, count: int, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.history) < count and time.monotonic() < deadline:
            time.sleep(0.05)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: StandInServer

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, value: Any, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _misbehaves(self) -> bool:
        stand_in = self.server.stand_in
        if stand_in.mode == "error":
            self._answer({"error": "broken"}, 500)
            return True
        if stand_in.mode == "hangs":
            stand_in.released.wait()
            self.close_connection = True
            return True
        return False

    def do_GET(self) -> None:
        if not self._misbehaves():
            self._answer({})

    def do_PUT(self) -> None:
        body = self._body()
        if not self._misbehaves():
            self.server.stand_in.uploads[self.path.removeprefix("/upload/")] = body
            self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if self._misbehaves():
            return
        if self.path.endswith("/file_stream"):
            self._file_stream(json.loads(body))
        else:
            self._graphql(json.loads(body))

    def _file_stream(self, message: dict[str, Any]) -> None:
        stand_in = self.server.stand_in
        for line in (message.get("files") or {}).get("wandb-history.jsonl", {}).get("content", []):
            stand_in.history.append(json.loads(line))
        if "exitcode" in message:
            stand_in.exit_codes.append(message["exitcode"])
        self._answer({})

    def _graphql(self, request: dict[str, Any]) -> None:
        match = re.search(r"(?:query|mutation)\s+(\w+)", request["query"])
        operation = match.group(1) if match else ""
        variables = request.get("variables") or {}
        self.server.stand_in.operations.append(operation)
        answer = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), None)
        if answer is None:
            self._answer({"errors": [{"message": f"the stand-in does not know {operation}"}]})
        else:
            self._answer({"data": answer(variables)})

    def _viewer(self, variables: dict[str, Any]) -> dict[str, Any]:
        user = {"id": "1", "entity": "tester", "username": "tester", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": user}

    def _server_features_query(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _run_resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"model": {"id": "1", "name": "reprise", "entity": {"id": "1", "name": "tester"}, "bucket": None}}

    def _upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.server.stand_in.upserts.append(variables)
        project = {"id": "2", "name": "reprise", "entity": {"id": "1", "name": "tester"}}
        name = variables.get("name") or "run"
        bucket = {"id": "3", "name": name, "displayName": name, "description": None, "config": "{}", "sweepName": None}
        bucket |= {"project": project, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def _create_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        base = self.server.stand_in.url
        files = [{"name": name, "uploadUrl": f"{base}/upload/{name}"} for name in variables["files"]]
        return {"createRunFiles": {"runID": "3", "uploadHeaders": [], "files": files}}
