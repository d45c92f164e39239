"""A finance department for tests of several processes: a project, its journal on either database, and its company."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from json import loads
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from databases import journal_on, rows_of
from end_to_end import TARGET, Ran, aim, command, environment, invoice_rows, make_project, references, run_here

from importer.sandbox import Fault, Sandbox, Settings, inspect

INVOICE = "customerInvoice"
WRITE = "POST customerinvoice"
#: Longer than Visma may still be working on what was sent.
LONG_S = 700
#: After a document that ended in doubt nothing can be looked up.
BLIND = Fault(match="GET /v1", kind="400_plain", since=WRITE)


def keys(count: int) -> list[str]:
    """Return the keys of as many invoices."""
    return [f"F{number:04}" for number in range(1, count + 1)]


def invoices(count: int, customers: int) -> list[tuple[Any, ...]]:
    """Return the rows of as many invoices, one line each, the customers taking turns."""
    return [
        (key, f"{10000 + number % customers}", date(2025, 1, 27), f"Kaffe {number}", 2, 19.9)
        for number, key in enumerate(keys(count), start=1)
    ]


def wait_for(what: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


class Firm:
    """Hold a project, where its journal lies, and the company it imports into with its clock."""

    #: how many workers a run has unless told otherwise
    workers = 1

    def __init__(self, folder: Path, journal: str, settings: Settings, rows: Sequence[Sequence[Any]]) -> None:
        self.project = make_project(folder / "project", rows)
        self.journal = journal
        self.state = folder / "company"
        #: how far the company's clock is ahead of ours
        self.ahead_s = 0
        self.box = Sandbox(self.state, settings=settings, clock=lambda: time.time() + self.ahead_s)

    @property
    def told(self) -> list[str]:
        """Return the options that every command here needs."""
        return [*TARGET[:2], "--journal", self.journal]

    def arguments(self, *options: str | Path, workers: int = 0) -> list[str]:
        """Return the command line of a run."""
        told = [*self.told, "--workers", str(workers or self.workers)]
        return ["run", "mapping.yaml", "--yes", *told, *map(str, options)]

    def run(self, *options: str | Path, workers: int = 0) -> Ran:
        """Run the mapping in this process; see that no document is in the company twice."""
        ran = run_here(self.project, *self.arguments(*options, workers=workers)[2:])
        self.check(ran)
        return ran

    def check(self, ran: Ran) -> None:
        """See that each document is in the company at most once, and that nothing false is said of it."""
        held = self.held
        assert len(held) == len(set(held)), "a document is there twice"
        for document in ran.documents if ran.folder.exists() else ():
            there = document["key"] in held
            if document["status"] in {"accepted", "already_accepted"}:
                assert there, f"{document['key']} is not there"
            if document["status"] in {"rejected", "not_sent"}:
                assert not there, f"{document['key']} is there"

    @contextmanager
    def running(
        self, *options: str | Path, workers: int = 0, within: str = "", **env: str
    ) -> Iterator["subprocess.Popen[str]"]:
        """Start a run in a process of its own, which does not outlive the test, within a limit that the shell sets."""
        shell = ["sh", "-c", f'{within}; exec "$@"', "sh"] if within else []
        with subprocess.Popen(
            [*shell, sys.executable, "-m", "importer", *self.arguments("--quiet", *options, workers=workers)],
            cwd=self.project,
            env=environment(self.project, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def ended(self, process: "subprocess.Popen[str]") -> Ran:
        """Wait for a run that was started here; return what it left."""
        out, errors = process.communicate(timeout=60)
        named = [line.removeprefix("Report: ") for line in out.splitlines() if line.startswith("Report: ")]
        ran = Ran(process.returncode, self.project / (named[0] if named else "no-report"), out, errors)
        self.check(ran)
        return ran

    def resolve(self, *options: str) -> tuple[int, str]:
        """Resolve in this process; return the exit code and what was printed."""
        code, out, errors = command("resolve", *self.told, *options, cwd=self.project)
        return code, " ".join((out + errors).split())

    def report(self, name: str = "again") -> Ran:
        """Write the report of the latest run again."""
        told = ["--report", name, "--journal", self.journal]
        code, out, errors = command("report", *told, cwd=self.project)
        assert code == 0, errors
        folder = self.project / name
        exit_code = loads((folder / "results.json").read_text(encoding="utf-8"))["exit_code"]
        ran = Ran(exit_code, folder, out, errors)
        self.check(ran)
        return ran

    def finish(self, at_most: int = 3) -> list[Ran]:
        """Let faults stop and time pass, and run until nothing is left to do."""
        self.box.faults.clear()
        self.ahead_s += LONG_S
        runs = [self.run()]
        while runs[-1].code and len(runs) < at_most:
            runs.append(self.run())
        assert runs[-1].code == 0, runs[-1].documents
        return runs

    @property
    def held(self) -> list[str]:
        """List the references that the company holds, sorted."""
        return references(inspect.documents(self.state, INVOICE))

    @property
    def writes(self) -> int:
        """Count the writes that came in."""
        return inspect.writes(self.state)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read from the journal, without the program."""
        with rows_of(self.journal) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def states(self, key: str) -> list[str]:
        """Return the state of each attempt at a document, in order."""
        found = self.rows("SELECT key, state FROM attempt ORDER BY attempt_id")
        return [state for of, state in found if of == key]


@contextmanager
def open_firm(
    database: str,
    folder: Path,
    rows: int | Sequence[Sequence[Any]],
    settings: Settings | None = None,
) -> Iterator[Firm]:
    """Open a firm with a journal on one of the databases and an empty company that is running."""
    with journal_on(database, folder) as journal:
        given = invoice_rows(rows) if isinstance(rows, int) else rows
        firm = Firm(folder, journal, settings or Settings(), given)
        with firm.box:
            aim(firm.project, firm.box.base_url)
            yield firm
