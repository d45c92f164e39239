"""Make one HTTP exchange with the API, and tell truthfully whether anything was sent and how much came back.

Nothing here retries or follows a redirect, and no setting of the machine (proxy, .netrc) has a say. `requests` alone
cannot tell "not sent" by the kind of its exception, and takes a response head cut by a plain close for a whole one; a
connection class of ours puts both right.
"""

import http.client
import json
import threading
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from importer import __version__
from importer.api.deadline import Deadline, Watch

#: Seconds to connect, and to wait for the next byte. The API's own limit for one request is 4 minutes.
TIMEOUT_S: Final = (10.0, 250.0)
#: Seconds to wait for the next byte of something that is only read, and can be asked for again.
READ_TIMEOUT_S: Final = 60.0
#: Connections kept to one host, each for a thread.
MAX_WORKERS: Final = 32
#: An exchange that takes this many times the wait for a byte is cut: an answer that drips would hold the run for ever.
_PATIENCE: Final = 2
_MAX_BODY: Final = 1_000_000
_MAX_READ: Final = 64_000_000
#: Whatever goes wrong in an exchange means that no whole answer came; what it was decides only the words.
_NO_ANSWER: Final = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)
#: Answers after which another one follows; 101 is none of them, for nobody asked for another protocol.
_INTERIM: Final = frozenset(range(100, 200)) - {http.HTTPStatus.SWITCHING_PROTOCOLS}
#: Lines of a head, those of interim answers among them; the library allows 100 for each.
_MOST_LINES: Final = 1000
#: Requests that a thread keeps.
_MOST_MADE: Final = 64
_phase = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold a response whose head came whole."""

    status: int
    headers: Dictionary[str, str]
    body: bytes
    #: False when the body was cut, damaged or endless
    whole: bool

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the casing of its name; None where there is none."""
        wanted = name.lower()
        return next((value for own, value in self.headers.items() if own.lower() == wanted), None)

    def data(self) -> Any:
        """Return what the body says as JSON, its numbers exact; None where it is no JSON."""
        if not self.body:
            return None
        try:
            return json.loads(self.body.decode("utf-8-sig"), parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            # no number either where the exponent is out of all bounds
            return None

    def whole_object(self) -> dict[str, Any] | None:
        """Return the JSON object of a body that came whole; None where there is none."""
        found = self.data() if self.whole else None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Say that no whole response head came."""

    #: False only when it is certain that no byte of the request left
    sent: bool
    reason: str
    #: True where trying again cannot help, as with a wrong certificate
    final: bool = False


class _StrictResponse(http.client.HTTPResponse):
    """Refuse a response head that ends before its blank line, and take no interim answer for the one that counts."""

    def begin(self) -> None:
        source = self.fp
        self.fp = _HeadLines(source)  # type: ignore[assignment]
        try:
            super().begin()
            while self.status in _INTERIM:
                # the library reads on after 100 only; what it left there would be the next document's answer
                self.headers = self.msg = None  # type: ignore[assignment]
                super().begin()
        finally:
            if self.fp is not None:
                self.fp = source
        if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            # whatever follows is no HTTP, so that nothing more is to be read from this connection
            self.will_close = True


class _HeadLines:
    """Read the lines of a response head; a line that is cut is an error, an end before the first one is not ours."""

    def __init__(self, source: Any) -> None:
        self._source = source
        #: how many lines were
        self._begun = 0

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._source.readline(limit)
        if not line.endswith(b"\n") and (line or self._begun):
            raise http.client.IncompleteRead(line)
        self._begun += 1
        if self._begun > _MOST_LINES:
            raise http.client.HTTPException("interim answers without end")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Watched:
    """Note the moment from which bytes of the request may have left."""

    sock: Any
    connect: Any
    #: whether the next piece is a head with a body to come, and the head that waits for it
    _holds = False
    _head = b""

    def request(self, method: str, url: str, body: Any = None, *args: Any, **more: Any) -> None:
        """Let the head leave with the body: between two pieces other threads would have their turn."""
        self._holds, self._head = bool(body), b""
        super().request(method, url, body, *args, **more)  # type: ignore[misc]  # of the connection it is mixed into

    def send(self, data: Any) -> None:
        if self._holds:
            self._holds, self._head = False, data
            return
        data, self._head = self._head + data, b""
        if self.sock is None:
            self.connect()
        _phase.sent = True
        _phase.deadline.socket = self.sock
        super().send(data)  # type: ignore[misc]  # of the connection it is mixed into


class _WatchedConnection(_Watched, HTTPConnection):
    response_class = _StrictResponse


class _WatchedTlsConnection(_Watched, HTTPSConnection):
    response_class = _StrictResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


class _Adapter(HTTPAdapter):
    """Look up but once what is the same for every request to the one host."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._pool: Any = None

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Return the pool of the host's connections."""
        if self._pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pool = pool
        return self._pool

    def close(self) -> None:
        """Close every connection: the library leaves that to the end of a pool, and this one is held here."""
        super().close()
        if self._pool is not None:
            self._pool.close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: it was done when the pool was made."""

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return what is asked for in the request's first line."""
        # a proxy takes the whole address
        return super().request_url(request, proxies) if proxies else str(request.path_url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:  # noqa: ARG002 - as the library has it
        """Return a response with what is read of it: status, headers, and the body to come."""
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        return response


@dataclass
class Client:
    """Exchange requests with one host."""

    base_url: str
    timeout_s: tuple[float, float] = TIMEOUT_S
    #: certificates to trust instead of the usual ones
    ca_file: Path | None = None
    proxy: str | None = None
    _session: requests.Session = field(init=False, repr=False)
    _adapter: "_Adapter" = field(init=False, repr=False)
    _watch: Watch = field(default_factory=Watch, init=False, repr=False)
    #: of each thread: requests as it made them last, by what they are made of but for their bodies
    _last: threading.local = field(default_factory=threading.local, init=False, repr=False)

    def __post_init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._adapter = _Adapter(max_retries=0, pool_maxsize=MAX_WORKERS)
        session.headers = requests.structures.CaseInsensitiveDict(
            {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"visma-import/{__version__}",
            }
        )
        self._session = session

    def close(self) -> None:
        """Close every connection."""
        self._watch.close()
        self._adapter.close()
        self._session.close()

    def exchange(
        self, method: str, path: str, body: bytes | None = None, headers: Dictionary[str, str] | None = None
    ) -> Answer | NoAnswer:
        """Send one request, once, and return what came back; `path` may hold a query, already quoted."""
        connect_s, byte_s = self.timeout_s
        byte_s = min(byte_s, READ_TIMEOUT_S) if method == "GET" else byte_s
        _phase.sent = False
        with Deadline(self._watch, connect_s + _PATIENCE * byte_s) as deadline:
            _phase.deadline = deadline
            try:
                # the adapter alone: a session would look at redirects even when told not to follow them
                response = self._adapter.send(
                    self._prepared(method, path, body, headers or {}),
                    stream=True,
                    timeout=(connect_s, byte_s),
                    verify=str(self.ca_file) if self.ca_file else True,
                    proxies={"http": self.proxy, "https": self.proxy} if self.proxy else None,
                )
            except _NO_ANSWER as error:
                reason = "no whole answer came in time" if deadline.passed else _reason(error)
                return NoAnswer(sent=_phase.sent, reason=reason, final=_is_final(error))
            with response:
                content, whole = _body(response, _MAX_READ if method == "GET" else _MAX_BODY)
            return Answer(
                status=response.status_code,
                # by name: of one that came twice both values, joined
                headers=dict(response.raw.headers.itermerged()),
                body=content,
                whole=whole and not deadline.passed,
            )

    def _prepared(
        self, method: str, path: str, body: bytes | None, headers: Dictionary[str, str]
    ) -> requests.PreparedRequest:
        """Return a request as it goes out; the thread's one before with another body, where nothing else is new."""
        made: dict[Any, requests.PreparedRequest] = self._last.__dict__.setdefault("made", {})
        named = (method, path, bool(body), *headers.items())
        prepared = made.get(named)
        if prepared is None:
            own = {"Content-Type": "application/json; charset=utf-8"} if body else {}
            request = requests.Request(method, self.base_url + path, headers={**own, **headers}, data=body or None)
            if len(made) >= _MOST_MADE:
                made.clear()
            prepared = made[named] = self._session.prepare_request(request)
        prepared.body = body or None
        prepared.prepare_content_length(prepared.body)
        return prepared


def _body(response: requests.Response, most: int) -> tuple[bytes, bool]:
    content = bytearray()
    try:
        for chunk in response.iter_content(65_536):
            content += chunk
            if len(content) > most:
                response.close()
                return bytes(content[:most]), False
    except _NO_ANSWER:
        return bytes(content), False
    return bytes(content), True


def _is_final(error: Exception) -> bool:
    return isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError) and not _phase.sent


def _reason(error: Exception) -> str:
    """Say in plain words why there was no answer, without the address or anything that was sent."""
    inner: Any = error.args[0] if error.args else error
    cause = getattr(inner, "reason", inner)
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy could not be reached"
    if isinstance(cause, NameResolutionError):
        return "the host's name is not known"
    if isinstance(cause, NewConnectionError):
        return "the connection was refused"
    if isinstance(cause, ConnectTimeoutError) or isinstance(error, requests.ConnectTimeout):
        return "the host did not answer in time"
    if isinstance(cause, TlsError) or isinstance(error, requests.exceptions.SSLError):
        return "the secure connection failed: the certificate is not trusted, or the host speaks no TLS"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "no answer came in time"
    return "the connection was cut before a whole answer came"
