"""A fake of the API that is told for each write what to do wrong; its ledger of what it committed is the oracle."""

import os
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from json import dumps, loads
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from end_to_end import RawServer, created, http

#: What stands for the record that a broken wire made of an answer.
DAMAGED_RECORD = b"\x17\x03\x03\x00\x10" + b"A" * 16
_PATIENCE_S = 20
_LIST = "/v1/customerinvoice"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Say what the server does with one write; without more it commits, answers 201 with the number and goes on."""

    #: how much of the request is read
    reads: Literal["all", "head", "nothing"] = "all"
    commits: Literal["now", "never", "late"] = "now"
    #: what is answered, made from the number; None is the true answer
    answer: Callable[[str], bytes] | None = None
    #: how many bytes of the answer leave
    cut: int | None = None
    #: seconds between the bytes of the answer
    drip_s: float = 0.0
    end: Literal["keep", "close", "reset", "hang", "damage"] = "keep"
    #: False where the answer does not announce that its connection ends
    announced: bool = True
    #: done before the answer leaves
    meanwhile: Callable[["FaultServer"], object] | None = None


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Hold one document of the ledger."""

    number: str
    reference: str
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Write:
    """Note one write that arrived."""

    reference: str
    #: True where its connection had carried a request before
    reused: bool


class FaultServer(RawServer):
    """Give out tokens, answer look-ups from the ledger, and treat each write as `script` says, by its reference."""

    def __init__(self, tls: ssl.SSLContext | None = None, other_tls: ssl.SSLContext | None = None) -> None:
        super().__init__(lambda *_: b"")
        #: what new connections are secured with; None for plain ones
        self.tls = tls
        self.other_tls = other_tls
        if tls:
            self.base_url = self.base_url.replace("http:", "https:")
        self.script: dict[str, list[Deed]] = {}
        self.ledger: list[Committed] = []
        self.writes: list[Write] = []
        #: True while lists and look-ups do not show what was committed
        self.lags = False
        #: how far the server's clock is ahead of ours
        self.ahead_s = 0
        #: what background requests answer, by their path
        self.jobs: dict[str, Callable[[], bytes]] = {}
        #: what is answered where a token is asked for; None is a token
        self.no_token: bytes | None = None
        #: True once an answer that dripped was listened to until its last byte
        self.dripped_out = False
        self._late: list[Committed] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.RLock()
        self._stopping = False

    def __exit__(self, *exception: object) -> None:
        if not self._stopping:
            self.leave()
        if self._failures:
            raise self._failures[0]

    def leave(self) -> None:
        """Listen no more, and close every connection that waits for a request."""
        self._stopping = True
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            self._thread.join(_PATIENCE_S)
        self._listener.close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)

    def come_back(self) -> None:
        """Listen again where it listened before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def mend(self, tls: ssl.SSLContext | None) -> None:
        """Be without a fault again."""
        self.script.clear()
        self.tls = tls
        if self._stopping:
            self.come_back()

    def numbers(self, reference: str) -> list[str]:
        """List the numbers of the documents that bear a reference."""
        return [document.number for document in self.ledger if document.reference == reference]

    def arrivals(self, reference: str) -> int:
        """Count the writes that arrived for a reference."""
        return sum(write.reference == reference for write in self.writes)

    def commit(self, reference: str, body: dict[str, Any]) -> Committed:
        """Write a document into the ledger, whatever stands there already."""
        with self._lock:
            number = f"{len(self.ledger) + len(self._late) + 1:06}"
            document = Committed(number=number, reference=reference, body=body)
            self.ledger.append(document)
        return document

    def commit_late(self) -> None:
        """Commit what was put off."""
        with self._lock:
            self.ledger += self._late
            self._late.clear()

    def dress(self, answer: bytes) -> bytes:
        """Return an answer with the server's time in its head."""
        date = formatdate(time.time() + self.ahead_s, usegmt=True).encode()
        return answer.replace(b"\r\n", b"\r\nDate: " + date + b"\r\n", 1)

    def _serve(self) -> None:
        while True:
            connection, _address = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE_S)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self._open.add(connection)
                reused = False
                while not self._stopping and self._exchange(connection, reused=reused):
                    reused = True
        except OSError:
            connection.close()
        except BaseException as error:  # noqa: BLE001 - told when the server stops
            self._failures.append(error)
        finally:
            self._open.discard(connection)

    def _exchange(self, connection: socket.socket, *, reused: bool) -> bool:
        """Take one request and answer it; false when the connection carries no more."""
        secured = isinstance(connection, ssl.SSLSocket)
        request = self._read(connection) if secured else _peek(connection)
        if not request:
            return False
        body = request.partition(b"\r\n\r\n")[2]
        if request.startswith((b"GET ", b"POST /connect/token")):
            consume(connection, 0 if secured else len(request))
            connection.sendall(
                self.dress(self._reply(request)).replace(b"Connection: close", b"Connection: keep-alive")
            )
            return True
        sent = loads(body)
        reference = sent["externalReference"]["value"]
        with self._lock:
            self.writes.append(Write(reference=reference, reused=reused))
            waiting = self.script.get(reference)
            deed = waiting.pop(0) if waiting else Deed()
        taken = {"all": len(request), "head": len(request) - len(body), "nothing": 0}[deed.reads]
        consume(connection, 0 if secured else taken)
        self._answer_write(connection, deed, self._commit(deed, reference, sent))
        return deed.end == "keep"

    def _commit(self, deed: Deed, reference: str, sent: dict[str, Any]) -> str:
        if deed.commits == "now":
            return self.commit(reference, sent).number
        with self._lock:
            number = f"{len(self.ledger) + len(self._late) + 1:06}"
            if deed.commits == "late":
                self._late.append(Committed(number=number, reference=reference, body=sent))
        return number

    def _answer_write(self, connection: socket.socket, deed: Deed, number: str) -> None:
        if deed.meanwhile:
            deed.meanwhile(self)
        answer = self.dress((deed.answer or created)(number))
        if deed.end == "keep" or not deed.announced:
            answer = _lasting(answer)
        answer = answer[: deed.cut]
        if deed.drip_s:
            self._drip(connection, answer, deed.drip_s)
        elif answer and deed.end == "close" and not isinstance(connection, ssl.SSLSocket):
            # together with the end, so that the other side sees both at once
            connection.sendall(answer, getattr(socket, "MSG_MORE", 0))
        elif answer:
            connection.sendall(answer)
        END[deed.end](connection)

    def _drip(self, connection: socket.socket, answer: bytes, seconds: float) -> None:
        for place in range(len(answer)):
            connection.sendall(answer[place : place + 1])
            time.sleep(seconds)
        self.dripped_out = True

    def _reply(self, request: bytes) -> bytes:
        if not request.startswith(b"GET "):
            return self.no_token or super()._reply(request)
        address = urlsplit(request.split(b" ", 2)[1].decode())
        with self._lock:
            shown = [] if self.lags else [_read_form(document) for document in self.ledger]
        if address.path in self.jobs:
            return self.jobs[address.path]()
        if address.path == _LIST:
            wanted = dict(parse_qsl(address.query))
            found = [row for row in shown if _fits(row, wanted)]
            return _json([{**row, "metadata": {"totalCount": len(found), "maxPageSize": 500}} for row in found])
        one = [row for row in shown if f"{_LIST}/{row['referenceNumber']}" == address.path]
        return _json(one[0]) if one else http(404)


def _lasting(answer: bytes) -> bytes:
    return answer.replace(b"Connection: close", b"Connection: keep-alive")


def _json(data: Any) -> bytes:
    return http(200, dumps(data).encode(), Content_Type="application/json")


def _read_form(document: Committed) -> dict[str, Any]:
    body = document.body
    return {
        "referenceNumber": document.number,
        "externalReference": document.reference,
        "customer": {"number": body["customerNumber"]["value"]},
        "documentDate": f"{body['documentDate']['value'][:10]}T00:00:00",
        "invoiceLines": [{"lineNumber": number} for number, _ in enumerate(body["invoiceLines"], start=1)],
    }


def _fits(row: dict[str, Any], wanted: dict[str, str]) -> bool:
    fits = wanted.get("externalReference", row["externalReference"]) == row["externalReference"]
    return fits and wanted.get("customer", row["customer"]["number"]) == row["customer"]["number"]


def _peek(connection: socket.socket) -> bytes:
    """Return a whole request and leave it unread; empty when none comes."""
    while data := connection.recv(1_000_000, socket.MSG_PEEK):
        if data[:1] == b"\x16":
            # a client that wants to speak TLS is answered as a plain server does
            connection.sendall(http(400))
            return b""
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if end and len(body) >= (int(length[1]) if length else 0):
            return data
        time.sleep(0.001)
    return b""


def consume(connection: socket.socket, count: int) -> None:
    """Read so many bytes, and no more."""
    while count and (data := connection.recv(count)):
        count -= len(data)


def _close(connection: socket.socket) -> None:
    """End plainly, and take what the other side still sends, so that no reset goes out."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65_536):
        pass


def _reset(connection: socket.socket) -> None:
    time.sleep(0.002)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _hang(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    while connection.recv(65_536):
        pass


def _damage(connection: socket.socket) -> None:
    """Send a record that no key fits, past the encryption."""
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.sendall(DAMAGED_RECORD)
    _hang(connection)


END: dict[str, Callable[[socket.socket], None]] = {
    "keep": lambda _connection: None,
    "close": _close,
    "reset": _reset,
    "hang": _hang,
    "damage": _damage,
}
