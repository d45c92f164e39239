"""Serve a company over HTTP on the loopback address, in threads of this process.

The standard library's server, not a WSGI one: it keeps connections alive, which werkzeug's refuses to; it can
close a connection without an answer; and it is there within milliseconds, where importing Flask alone takes
150.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from importer.errors import StartError
from importer.sandbox import catalog, company
from importer.sandbox.answers import CUT_STATUS, Answer, Call
from importer.sandbox.faults import FaultBoard
from importer.sandbox.gate import Gate
from importer.sandbox.limit import Limiter
from importer.sandbox.settings import Fault, Settings
from importer.sandbox.store import Store
from importer.sandbox.tokens import PATH as TOKEN_PATH
from importer.sandbox.world import World

_ADDRESS = "127.0.0.1"
_STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Logged:
    """Hold one request as it came in, and its answer's status (0: the connection was cut).

    `started` and `ended` are on a clock that only counts forward. Nothing secret: the Authorization header
    shows `***`, a token request has no body here.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    started: float
    ended: float


class Sandbox:
    """Serve the company in a folder, which it makes if need be; use it in a `with`, or `start` it."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings or Settings()
        self.faults: list[Fault] = list(self.settings.faults)
        self.requests_log: list[Logged] = []
        self._folder = folder
        self._port = port
        self._clock = clock
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._store: Store | None = None

    @property
    def base_url(self) -> str:
        """Return the address it serves at, such as http://127.0.0.1:49152."""
        return f"http://{_ADDRESS}:{self._running.server_address[1]}"

    @property
    def token_url(self) -> str:
        """Return the address that gives out tokens."""
        return self.base_url + TOKEN_PATH

    @property
    def company_id(self) -> str:
        """Return the id of the company, which lasts until a reset."""
        if self._store is None:
            raise StartError("The sandbox is not running: start it first.")
        return str(self._store.meta("company"))

    def start(self) -> Self:
        """Serve in the background.

        Raises: StartError when the port is taken, or the company's file cannot be used.
        """
        self._stopping.clear()
        tables = catalog.load(self.settings.catalog)
        self._store = Store(self._folder, tables)
        try:
            server = _Server((_ADDRESS, self._port), _Connection)
        except OSError as error:
            self.stop()
            raise StartError(f"The sandbox cannot use port {self._port}: {error}. Choose another port.") from error
        world = World(self._store, tables, company.load(), self.settings, self._clock)
        server.gate = Gate(world, Limiter(world), FaultBoard(self.faults), self._stopping.wait)
        server.log = self.requests_log
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True, name="sandbox").start()
        return self

    def stop(self) -> None:
        """Close the port and every connection; what it holds stays in the folder."""
        self._stopping.set()
        server, store = self._server, self._store
        self._server = self._store = None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut_all()
        if store is not None:
            store.close()

    def serve_forever(self) -> None:
        """Serve until `stop` is called or the program is interrupted."""
        if self._server is None:
            self.start()
        try:
            self._stopping.wait()
        finally:
            self.stop()

    @property
    def _running(self) -> "_Server":
        """Return the server of a started sandbox."""
        if self._server is None:
            raise StartError("The sandbox is not running: start it first.")
        return self._server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Accept connections, a thread for each, and know the open ones."""

    request_queue_size = 128
    daemon_threads = True
    gate: Gate
    log: list[Logged]

    def __init__(self, *arguments: Any) -> None:
        self._open: set[_Connection] = set()
        self._changed = threading.Condition()
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show a bug of the sandbox; what breaks because it stops is none."""
        if not self.gate.wait(0):
            super().handle_error(request, client_address)

    def entered(self, connection: "_Connection") -> None:
        """Note an open connection."""
        with self._changed:
            self._open.add(connection)

    def left(self, connection: "_Connection") -> None:
        """Forget a closed connection."""
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def cut_all(self) -> None:
        """Close every connection and wait a moment for their threads."""
        with self._changed:
            for connection in self._open:
                connection.cut()
            self._changed.wait_for(lambda: not self._open, _STOP_S)


class _Connection(BaseHTTPRequestHandler):
    """Read requests from one connection and write their answers, each in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        """Make the connection known."""
        super().setup()
        self.server.entered(self)

    def finish(self) -> None:
        """Take leave, also of a client that is gone."""
        try:
            super().finish()
        except OSError:
            self.close_connection = True
        finally:
            self.server.left(self)

    def handle(self) -> None:
        """Serve until either side closes; a client that is gone is no trouble."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Stay quiet: the requests are in `requests_log`."""

    def cut(self) -> None:
        """Close the connection at once, whatever it is doing."""
        self.close_connection = True
        try:
            self.connection.shutdown(2)
        except OSError:
            return

    def serve(self) -> None:
        """Answer one request."""
        started = time.monotonic()
        path, _, query = self.path.partition("?")
        headers = {name.lower(): text for name, text in self.headers.items()}
        origin = f"http://{headers.get('host', _ADDRESS)}"
        call = Call(self.command, path, query, headers, self._body(), origin)
        answer = self.server.gate.answer(call)
        shown = {name: "***" if name == "authorization" else text for name, text in headers.items()}
        body = b"" if path.lower() == TOKEN_PATH else call.body
        ended = time.monotonic()
        self.server.log.append(Logged(self.command, path, query, shown, body, answer.status, started, ended))
        if answer.status == CUT_STATUS:
            self.cut()
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = serve  # noqa: N815 - the names the base class looks for

    def _body(self) -> bytes:
        """Read the request's body, sent with its length or in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _send(self, answer: Answer) -> None:
        """Write an answer in one piece."""
        headers = dict(answer.headers)
        if answer.status != HTTPStatus.NO_CONTENT:
            headers["Content-Length"] = str(len(answer.body))
        self.send_response_only(answer.status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers_with(answer.body)

    def end_headers_with(self, body: bytes) -> None:
        """End the headers and write them together with the body."""
        self._headers_buffer: list[bytes]
        self._headers_buffer.extend((b"\r\n", body))
        self.flush_headers()
