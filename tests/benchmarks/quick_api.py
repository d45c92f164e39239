"""A small and quick stand-in for the API, with a latency: it takes invoices and lists those that it took.

    python tests/benchmarks/quick_api.py 0.2

Prints its address, and serves until its standard input ends. Each connection has one answer at a time, each answer
comes the latency after its request, and nothing is checked: what is measured is the program.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from json import dumps, loads
from typing import Any

_PAGE = 500
_SELECTOR_S = 0.001


class QuickApi:
    """Hold what was taken."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.documents: list[dict[str, Any]] = []
        #: when the first and the last document came
        self.first_at = self.last_at = 0.0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                came = time.perf_counter()
                lines = head.split("\r\n")
                lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                method, target, _ = lines[0].split(" ", 2)
                answer = self.answer(method, target, body)
                if self.latency_s:
                    await _until(came + self.latency_s)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """Return the answer to one request."""
        path, _, query = target.partition("?")
        if path == "/connect/token":
            return _http("200 OK", {"access_token": "a token", "token_type": "Bearer", "expires_in": 3600})
        if method == "POST":
            number = f"{len(self.documents) + 1:06}"
            self.documents.append(_read_form(number, loads(body)))
            self.last_at = time.monotonic()
            self.first_at = self.first_at or self.last_at
            return _http("201 Created", None, f"Location: /v1/customerinvoice/{number}\r\n")
        if path == "/count":
            return _http("200 OK", {"documents": len(self.documents), "seconds": self.last_at - self.first_at})
        return _http("200 OK", self._page(query))

    def _page(self, query: str) -> list[dict[str, Any]]:
        wanted = dict(part.partition("=")[::2] for part in query.split("&") if part)
        size, page = int(wanted.get("pageSize", _PAGE)), int(wanted.get("pageNumber", 1))
        about = {"totalCount": len(self.documents), "maxPageSize": _PAGE}
        return [{**document, "metadata": about} for document in self.documents[(page - 1) * size : page * size]]


async def _until(moment: float) -> None:
    """Wait until a moment; the loop by itself would be up to a millisecond late, as its selector counts them whole."""
    while (left := moment - time.perf_counter()) > 0:
        await asyncio.sleep(left - _SELECTOR_S if left > _SELECTOR_S else 0)


def _read_form(number: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "referenceNumber": number,
        "externalReference": body["externalReference"]["value"],
        "customer": {"number": body["customerNumber"]["value"]},
        "documentDate": f"{body['documentDate']['value'][:10]}T00:00:00",
        "invoiceLines": [{"lineNumber": place} for place, _ in enumerate(body["invoiceLines"], start=1)],
    }


def _http(status: str, content: Any, more: str = "") -> bytes:
    body = b"" if content is None else dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _serve(latency_s: float, tell: Callable[[str], object]) -> None:
    server = await asyncio.start_server(QuickApi(latency_s).converse, "127.0.0.1", 0, backlog=512)
    tell(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("latency", type=float, help="seconds from a request to its answer")
    asyncio.run(_serve(parser.parse_args().latency, lambda text: print(text, flush=True)))


if __name__ == "__main__":
    main()
