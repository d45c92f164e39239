"""What the end-to-end tests share: a project folder, the program as a process, a server that answers any bytes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from json import loads
from pathlib import Path
from typing import Any, Self

import openpyxl

from importer.api.client import Client
from importer.cli import inputs, sending
from importer.journal import open_journal
from importer.model import Outcome, RunRecord
from importer.plan import decide
from importer.run import Run, known

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
HEADERS = ("Invoice no", "Customer", "Date", "Text", "Qty", "Unit price")
#: No number is asked for, so that a document sent twice is there twice.
MAPPING = """\
version: 1
name: invoices
endpoint: customerInvoice.create
workbook: {file: invoices.xlsx, sheet: Invoices}
key: Invoice no
fields:
  externalReference: Invoice no
  customerNumber: Customer
  documentDate: Date
lines:
  description: Text
  quantity: Qty
  unitPriceInCurrency: {column: Unit price, decimals: 2}
"""
#: The same, asking for numbers of our own.
NUMBERED = MAPPING.replace("fields:\n", "fields:\n  referenceNumber: Invoice no\n")


def invoice_rows(count: int) -> list[tuple[Any, ...]]:
    """Return the rows of as many invoices, each third with two lines."""
    rows: list[tuple[Any, ...]] = []
    for number in range(1, count + 1):
        head = (f"F{number:04}", f"{10000 + number % 20}", date(2025, 1, 27))
        rows.append((*head, f"Kaffe {number}", 2, Decimal("19.90")))
        if number % 3 == 0:
            rows.append((*head, "Frakt", 1, Decimal(149)))
    return rows


def write_workbook(file: Path, rows: Iterable[Sequence[Any]], headers: Sequence[str] = HEADERS) -> Path:
    """Write a workbook with one sheet, Invoices; a text that begins with = stays text."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Invoices"
    for number, row in enumerate([headers, *rows], start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column)
            cell.value = value
            if isinstance(value, str) and value.startswith("="):
                cell.data_type = "s"
    book.save(file)
    return file


def make_project(folder: Path, rows: Iterable[Sequence[Any]], mapping: str = MAPPING) -> Path:
    """Make a project folder with a mapping and its workbook."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    write_workbook(folder / "invoices.xlsx", rows)
    return folder


def copy_sample(name: str, into: Path) -> Path:
    """Copy a sample's folder; return the copy."""
    return shutil.copytree(SAMPLES / name, into / name)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user who has just got this checkout: nothing set but the way to it."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**kept, "HOME": str(home), "COLUMNS": "80", "PYTHONPATH": path, "PYTHONWARNINGS": "error", **more}


def program(*arguments: str | Path, cwd: Path, timeout: float = 60, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "importer", *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


@dataclass(frozen=True)
class Ran:
    """Hold what one `run` of the program left."""

    code: int
    stdout: str
    stderr: str
    cwd: Path

    @cached_property
    def folder(self) -> Path:
        """Return the report's folder, as the program names it."""
        found = re.search(r"^Report: (.+)$", self.stdout, re.MULTILINE)
        assert found, self.stdout + self.stderr
        return self.cwd / found[1]

    @cached_property
    def results(self) -> dict[str, Any]:
        """Return results.json, its rows counted."""
        data: dict[str, Any] = loads((self.folder / "results.json").read_text(encoding="utf-8"))
        rows = [row for document in data["documents"] for row in document["rows"]]
        read = re.search(r"Rows read: (\d+), rows reported: (\d+)", self.stdout)
        assert read is not None
        assert sorted(rows) == sorted(set(rows)), "a row stands in two documents"
        assert len(rows) == int(read[1]) == int(read[2]) == sum(c["rows"] for c in data["counts"].values())
        return data

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return str(self.results["run_id"])

    @property
    def counts(self) -> dict[str, int]:
        """Return how many documents have each status, without the zeros."""
        return {name: count["documents"] for name, count in self.results["counts"].items() if count["documents"]}

    def document(self, key: str) -> dict[str, Any]:
        """Return what became of one document."""
        return next(document for document in self.results["documents"] if document["key"] == key)


def run(cwd: Path, *arguments: str | Path) -> Ran:
    """Run the mapping of a project folder by the command line."""
    done = program("run", "mapping.yaml", *arguments, cwd=cwd)
    return Ran(done.returncode, done.stdout, done.stderr, cwd)


@dataclass
class Told:
    """Take what a run tells while it goes on."""

    outcomes: list[Outcome] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def settled(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def waiting(self, seconds: float) -> None:
        self.waits.append(seconds)


def import_into(
    project: Path,
    base_url: str,
    *,
    company: str = "company",
    run_id: str | None = None,
    stop: threading.Event | None = None,
    told: Told | None = None,
    timeout_s: tuple[float, float] = (5.0, 20.0),
) -> tuple[RunRecord, list[Outcome]]:
    """Send a project's workbook to an address by the program's own parts; prove that every row is accounted for."""
    found = inputs.read_input(project / "mapping.yaml", None, (), None, ())
    journal = open_journal(project / ".visma-import" / "journal.db")
    client = Client(base_url, timeout_s=timeout_s)
    try:
        run_id = run_id or f"run{len(journal.runs()) + 1:03}"
        record = sending.new_record(found, run_id=run_id, target="sandbox", company=company)
        endpoint = found.mapping.endpoint
        documents = decide(found.plan, known(journal, record.company, endpoint.name))
        path = endpoint.path[found.mapping.api]
        job = Run(record, endpoint, path, journal, client, told or Told(), stop or threading.Event())
        record, outcomes = job.execute(documents)
        assert journal.outcomes(run_id) == outcomes, "the journal tells another story than the run"
    finally:
        client.close()
        journal.close()
    rows = sorted(row for outcome in outcomes for row in outcome.rows)
    assert rows == list(range(2, record.rows_read + 2)), "rows read are not rows reported"
    return record, outcomes


def count_by_status(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many documents have each status."""
    return dict(Counter(outcome.status.value for outcome in outcomes))


def references(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Return the references of documents that a sandbox holds, sorted."""
    return sorted(document["body"]["externalReference"]["value"] for document in documents)


class RawServer:
    """Answer each request with whatever bytes a test wants, then close the connection plainly.

    `answer` takes the request's number, from 0, and its bytes; what it raises is raised again when the server stops.
    """

    def __init__(self, answer: Callable[[int, bytes], bytes]) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._failures: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as last:
            last.sendall(b"STOP")
            self._thread.join(20)
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    def _serve(self) -> None:
        while True:
            connection, _address = self._listener.accept()
            with connection:
                connection.settimeout(3)
                request = self._read(connection)
                if request == b"STOP":
                    return
                if not request:
                    continue
                self.requests.append(request)
                try:
                    connection.sendall(self._answer(len(self.requests) - 1, request))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                except OSError:
                    continue
                except BaseException as error:  # noqa: BLE001 - told when the server stops
                    self._failures.append(error)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65_536)
            data += more
            if not more or data == b"STOP":
                return data
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65_536)
        return head + b"\r\n\r\n" + body


def http(status: int | str, body: bytes = b"", **headers: str) -> bytes:
    """Write an HTTP answer that ends its connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def created(number: str) -> bytes:
    """Write the answer to a create."""
    return http(201, Location=f"https://api.example/v1/customerinvoice/{number}")


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
