"""What the end-to-end tests share: a project folder, the program as a process, a server that answers any bytes."""

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from io import BytesIO, StringIO, TextIOWrapper
from json import dumps, loads
from pathlib import Path
from typing import Any, Self

import openpyxl

from importer.cli import run_command, stream

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
    return shutil.copytree(SAMPLES / name, into / name, ignore=shutil.ignore_patterns(".visma-import", "reports"))


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
        errors="backslashreplace",
        timeout=timeout,
        check=False,
    )


@dataclass(frozen=True)
class Ran:
    """Hold what one `run` of the program left."""

    code: int
    folder: Path
    stdout: str = ""
    stderr: str = ""

    @cached_property
    def results(self) -> dict[str, Any]:
        """Return results.json, after the equation of its rows was proven."""
        data: dict[str, Any] = loads((self.folder / "results.json").read_text(encoding="utf-8"))
        rows = [row for document in data["documents"] for row in document["rows"]]
        assert sorted(rows) == list(range(2, len(rows) + 2)), "a row stands in two documents, or in none"
        assert len(rows) == sum(count["rows"] for count in data["counts"].values())
        assert len(data["documents"]) == sum(count["documents"] for count in data["counts"].values())
        assert data["exit_code"] == self.code
        return data

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return str(self.results["run_id"])

    @property
    def counts(self) -> dict[str, int]:
        """Return how many documents have each status, without the zeros."""
        return {name: count["documents"] for name, count in self.results["counts"].items() if count["documents"]}

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Return what became of each document, in the order of the sheet."""
        return list(self.results["documents"])

    def document(self, key: str) -> dict[str, Any]:
        """Return what became of one document."""
        return next(document for document in self.documents if document["key"] == key)


def run(cwd: Path, *arguments: str | Path) -> Ran:
    """Run the mapping of a project folder on the embedded sandbox, in a process of its own."""
    done = program("run", "mapping.yaml", *arguments, cwd=cwd)
    return _ran(done.returncode, cwd, done.stdout, done.stderr)


def run_here(cwd: Path, *arguments: str | Path) -> Ran:
    """Do the same in this process, which takes a fifth of the time."""
    code, stdout, stderr = command("run", "mapping.yaml", *arguments, cwd=cwd)
    return _ran(code, cwd, stdout, stderr)


def command(*arguments: str | Path, cwd: Path) -> tuple[int, str, str]:
    """Give a command line to the program in this process; return the exit code, stdout and stderr."""
    with chdir(cwd), redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = run_command([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def program_here(*arguments: str | Path, cwd: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Do in this process what `program` does in its own, environment, streams and all, in a sixth of the time."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    words, kept = [str(argument) for argument in arguments], dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment(cwd, **env))
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            # as the program's own main does; the streams are put back by their contexts
            stream.forgive()
            code = run_command(words)
    finally:
        os.environ.clear()
        os.environ.update(kept)
    said = (file.buffer.getvalue().decode("utf-8") for file in (out, err))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code, *said)


def _ran(code: int, cwd: Path, stdout: str, stderr: str) -> Ran:
    named = re.search(r"^Report: (.+)$", stdout, re.MULTILINE)
    return Ran(code, cwd / (named[1] if named else "no-report"), stdout, stderr)


TARGET = ("--target", "test", "--yes")


def aim(project: Path, base_url: str, token_host: str | None = None) -> None:
    """Declare the target `test` of a project: a company behind an address of this machine."""
    (project / "secret.txt").write_text("a secret", encoding="utf-8")
    (project / "targets.yaml").write_text(
        f"""\
test:
  base_url: {base_url}
  token_url: {token_host or base_url}/connect/token
  tenant_id: 11111111-2222-3333-4444-555555555555
  client_id: somebody
  client_secret: {{file: secret.txt}}
""",
        encoding="utf-8",
    )


def import_into(
    project: Path, base_url: str, token_host: str | None = None, *, workers: int = 1, options: Sequence[str] = ()
) -> Ran:
    """Run a project's mapping against an address, in this process; one document at a time unless told otherwise."""
    aim(project, base_url, token_host)
    folder = project / "reports" / str(len(list(project.glob("reports/*"))))
    given = ["run", str(project / "mapping.yaml"), *TARGET, "--workers", str(workers), "--quiet", *options]
    code = run_command([*given, "--report", str(folder)])
    return Ran(code, folder)


def references(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Return the references of documents that a sandbox holds, sorted."""
    return sorted(document["body"]["externalReference"]["value"] for document in documents)


def attempts(project: Path) -> list[tuple[str, str]]:
    """Read the journal's attempts from outside, without the program."""
    file = project / ".visma-import" / "journal.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        return db.execute("SELECT key, state FROM attempt ORDER BY attempt_id").fetchall()


class RawServer:
    """Answer each write with whatever bytes a test wants, then close the connection plainly.

    `answer` takes the write's number, from 0, and its bytes; what it raises is raised again when the server stops.
    Tokens are given out, and every read finds nothing.
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
                try:
                    connection.sendall(self._reply(request))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65_536):
                        pass
                except OSError:
                    continue
                except BaseException as error:  # noqa: BLE001 - told when the server stops
                    self._failures.append(error)

    def _reply(self, request: bytes) -> bytes:
        if request.startswith(b"POST /connect/token"):
            return http(200, b'{"access_token": "a-token", "token_type": "Bearer", "expires_in": 3600}')
        if request.startswith(b"GET "):
            return http(200, b"[]")
        self.requests.append(request)
        return self._answer(len(self.requests) - 1, request)

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
        while length and len(body) < int(length[1]) and (more := connection.recv(65_536)):
            body += more
        return head + b"\r\n\r\n" + body


def http(status: int | str, body: bytes = b"", **headers: str) -> bytes:
    """Write an HTTP answer that ends its connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def created(number: str) -> bytes:
    """Write the answer to a create."""
    return http(201, Location=f"https://api.example/v1/customerinvoice/{number}")


def error(status: int, text: str) -> bytes:
    """Write an answer in which the API says what is wrong."""
    return http(status, dumps({"message": text}).encode(), Content_Type="application/json")


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
