"""Stand between the program and its company, and keep every request byte for byte."""

import http.client
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass
class Recorder:
    """Pass requests on to another address of this machine, and keep them."""

    to: str
    #: method, path and body of each request, in the order of their arrival
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorder.requests.append((self.command, self.path, body))
                with closing(http.client.HTTPConnection(urlsplit(recorder.to).netloc, timeout=30)) as there:
                    there.request(self.command, self.path, body, dict(self.headers))
                    answer = there.getresponse()
                    data = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                # a client that is killed is not there any more to be answered
                with suppress(OSError):
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = _pass_on  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing of a client that is gone."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list[tuple[str, str, bytes]]:
        """Return the requests that may change something, those for a token left out."""
        return [one for one in self.requests if one[0] != "GET" and "/connect/" not in one[1]]
