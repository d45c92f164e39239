"""A document in doubt, or changed, is settled by a person's word: written down, asked for, and never by sending it."""

import getpass
import os
import pty
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from json import dumps, loads
from pathlib import Path
from typing import Any

import pytest
from end_to_end import (
    HEADERS,
    MAPPING,
    TARGET,
    Ran,
    aim,
    command,
    environment,
    invoice_rows,
    make_project,
    program,
    write_workbook,
)

from importer.api.client import Answer, Client
from importer.cli import run_command
from importer.sandbox import Fault, Sandbox, Settings, inspect

INVOICE = "customerInvoice"
#: Longer than Visma may still be working on what was sent.
LONG_S = 700
AUTOMATIC = Settings(numbering="automatic")
CREDIT_NOTES = MAPPING.replace("customerInvoice.create", "customerCreditNote.create")


@dataclass
class Office:
    """Hold a project, the company it imports into, and that company's clock."""

    project: Path
    state: Path
    settings: Settings
    box: Sandbox = field(init=False)
    #: how far the company's clock is ahead of ours
    ahead_s: float = 0
    clock: Callable[[], float] = time.time
    runs: int = 0

    def __post_init__(self) -> None:
        self.box = Sandbox(self.state, settings=self.settings, clock=lambda: self.clock() + self.ahead_s)

    def write(
        self, rows: Iterable[Sequence[Any]], headers: Sequence[str] = HEADERS, mapping: str | None = None
    ) -> None:
        """Write the workbook again, perhaps for another mapping."""
        write_workbook(self.project / "invoices.xlsx", rows, headers)
        if mapping is not None:
            (self.project / "mapping.yaml").write_text(mapping, encoding="utf-8")

    def run(self, *faults: Fault) -> Ran:
        """Run the mapping while the company shows faults."""
        self.box.faults[:] = faults
        self.runs += 1
        folder = self.project / "reports" / str(self.runs)
        given = [str(self.project / name) for name in ("mapping.yaml", "invoices.xlsx")]
        code = run_command(["run", *given, *TARGET, "--workers", "1", "--quiet", "--report", str(folder)])
        self.box.faults.clear()
        return Ran(code, folder)

    def doubt(self, kind: str, key: str = "F0002", match: str = "POST customerinvoice") -> Ran:
        """Run the mapping so that one document of it ends in doubt, and cannot be looked up before the run ends."""
        nth = int(key[-1])
        blind = Fault(match="GET /v1", kind="400_plain", since=match, since_nth=nth)
        ran = self.run(Fault(match=match, kind=kind, nth=nth), blind)  # type: ignore[arg-type]
        assert (ran.code, ran.document(key)["status"]) == (5, "unknown")
        return ran

    def _resolve(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        """Give the command; nothing but reads may reach the company."""
        before = len(self.box.requests_log)
        found = command("resolve", *arguments, "--target", "test", cwd=self.project)
        asked = [entry for entry in self.box.requests_log[before:] if "token" not in entry.path]
        assert {entry.method for entry in asked} <= {"GET"}
        return found

    def resolve(self, *arguments: str) -> tuple[int, str]:
        """Resolve; return the exit code and what was printed."""
        code, out, err = self._resolve(arguments)
        return code, " ".join((out + err).split())

    def settle(self, *arguments: str) -> dict[str, Any]:
        """Look up what is in doubt, being one document; return what is told of it."""
        code, out, _err = self._resolve(("--json", *arguments))
        told = loads(out)
        assert code == (5 if told["unknown"] else 0)
        (document,) = told["documents"]
        return dict(document)

    @property
    def writes(self) -> int:
        return inspect.writes(self.state)

    @property
    def numbers(self) -> list[str]:
        """List the invoices that the company holds."""
        return [document["number"] for document in inspect.documents(self.state, INVOICE)]

    def attempt(self, key: str) -> dict[str, Any]:
        """Read the latest attempt at a document from outside, without the program."""
        with closing(sqlite3.connect(f"file:{self.project / '.visma-import' / 'journal.db'}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            query = "SELECT * FROM attempt WHERE key = ? ORDER BY attempt_id DESC"
            return dict(db.execute(query, (key,)).fetchone())

    def post(self, lines: Sequence[tuple[int, float]] = ((2, 19.9),), **values: str) -> None:
        """Type an invoice into the company by hand; its lines are given as quantity and price."""
        body: dict[str, Any] = {name: {"value": value} for name, value in values.items()}
        names = ("description", "quantity", "unitPriceInCurrency")
        typed = [
            {name: {"value": part} for name, part in zip(names, ("by hand", *line), strict=True)} for line in lines
        ]
        body["invoiceLines"] = [{"operation": "Insert", **line} for line in typed]
        self.by_hand("POST", "", body)

    def by_hand(
        self, method: str, path: str, body: dict[str, Any] | None = None, resource: str = "customerinvoice"
    ) -> None:
        """Do what a person does with an invoice, or something else, in Visma itself."""
        client = Client(self.box.base_url)
        answer = client.exchange(method, f"/v1/{resource}{path}", dumps(body or {}).encode(), {})
        client.close()
        assert isinstance(answer, Answer)
        assert answer.status in (200, 201, 204), answer.body


@contextmanager
def office(
    folder: Path, mapping: str = MAPPING, rows: Iterable[Sequence[Any]] = (), *, settings: Settings = AUTOMATIC
) -> Iterator[Office]:
    """Serve a company, and make a project that imports into it."""
    made = Office(make_project(folder / "project", rows or invoice_rows(3), mapping), folder / "company", settings)
    with made.box:
        aim(made.project, made.box.base_url)
        yield made


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Office]:
    """Serve a company that numbers documents itself."""
    with office(tmp_path) as made:
        yield made


def report_of(firm: Office, ran: Ran) -> Ran:
    """Write a run's report again."""
    folder = firm.project / "again"
    assert command("report", ran.run_id, "--report", folder, cwd=firm.project)[0] == 0
    return Ran(ran.code, folder)


def dearer(count: int = 3) -> list[tuple[Any, ...]]:
    """Return the invoices with other prices."""
    return [(*row[:5], row[5] + 1) for row in invoice_rows(count)]


@pytest.mark.parametrize(("said", "number"), [(("4711",), "4711"), ((), None)])
def test_a_person_says_that_it_is_in_visma(
    firm: Office, monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...], number: str | None
) -> None:
    """The word is written down with who and when, shown by the report, and the next run sends nothing."""
    monkeypatch.setenv("LOGNAME", "kari")
    ran, before = firm.doubt("cut_after"), firm.writes

    assert firm.resolve("--key", "F0002", "--accepted", *said, "--yes")[0] == 0

    found = firm.attempt("F0002")
    assert (found["state"], found["number"], found["decided_by"]) == ("accepted", number, "kari")
    assert datetime.now(UTC) - datetime.fromisoformat(found["settled_at"]) < timedelta(minutes=1)
    shown = report_of(firm, ran).document("F0002")
    assert (shown["status"], shown["number"], "kari" in shown["message"]) == ("accepted", number, True)
    assert (firm.run().counts, firm.writes) == ({"already_accepted": 3}, before)


def test_a_person_says_that_one_in_doubt_is_not_there(firm: Office) -> None:
    """The wait is the person's to judge: the next run sends it, once."""
    ran = firm.doubt("cut_before")

    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

    assert report_of(firm, ran).document("F0002")["status"] == "not_sent"
    assert firm.attempt("F0002")["decided_by"] == getpass.getuser()
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}
    assert firm.run().counts == {"already_accepted": 3}


def test_a_person_says_that_an_accepted_one_is_gone(firm: Office) -> None:
    """What was deleted in Visma goes out again, once; its report says what was true then."""
    ran = firm.run()
    firm.by_hand("DELETE", "/000002")

    code, printed = firm.resolve("--key", "F0002", "--not-there", "--yes")

    assert (code, "Visma says of 000002: there is no such document" in printed) == (0, True)
    assert firm.attempt("F0002")["state"] == "withdrawn"
    assert report_of(firm, ran).counts == {"accepted": 3}
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}
    assert firm.run().document("F0002")["number"] == "000004"


def test_a_person_says_that_an_accepted_one_was_reversed(tmp_path: Path) -> None:
    """What was reversed still stands in Visma, but is no longer the invoice: it goes out again, once."""
    with office(tmp_path, settings=replace(AUTOMATIC, release_delay_s=0)) as firm:
        firm.run()
        firm.by_hand("POST", "/000002/action/release")
        firm.by_hand("POST", "/000002/action/reverse")

        assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

        assert firm.run().counts == {"already_accepted": 2, "accepted": 1}
        assert (firm.run().counts, len(firm.numbers)) == ({"already_accepted": 3}, 4)


@pytest.mark.parametrize(
    ("word", "counts"),
    [("--accepted", {"already_accepted": 3}), ("--not-there", {"already_accepted": 2, "accepted": 1})],
)
def test_a_person_decides_on_a_changed_document(firm: Office, word: str, counts: dict[str, int]) -> None:
    """--accepted makes the new content the known one, its number kept; --not-there lets the next run send it."""
    firm.run()
    firm.write([*invoice_rows(3)[:1], dearer()[1], *invoice_rows(3)[2:]])
    changed = firm.run()
    assert changed.counts == {"already_accepted": 2, "changed": 1}
    assert "visma-import resolve --key F0002 --accepted" in changed.document("F0002")["message"]
    if word == "--not-there":
        firm.by_hand("DELETE", "/000002")

    assert firm.resolve("--key", "F0002", word, "--yes")[0] == 0

    later = firm.run()
    assert (later.code, later.counts) == (0, counts)
    assert later.document("F0002")["number"] == ("000002" if word == "--accepted" else "000004")
    assert firm.attempt("F0002")["decided_by"] == (getpass.getuser() if word == "--accepted" else None)


@pytest.mark.parametrize(("word", "status"), [("--accepted", "already_accepted"), ("--not-there", "accepted")])
def test_a_person_decides_on_what_visma_has_without_this_journal(firm: Office, word: str, status: str) -> None:
    """An invoice that somebody typed is adopted with its number, or is another one, so that ours is sent."""
    firm.post(externalReference="F0002", customerNumber="10002", documentDate="2025-01-27")
    found = firm.run().document("F0002")
    assert (found["status"], found["number"], word in found["message"]) == ("changed", "000001", True)

    assert firm.resolve("--key", "F0002", word, "--yes")[0] == 0

    later = firm.run()
    assert (later.code, later.document("F0002")["status"]) == (0, status)
    assert len(firm.numbers) == (3 if word == "--accepted" else 4)


def test_a_person_accepts_all_changed_documents_of_a_run(firm: Office) -> None:
    """--run decides every changed document of that run, each keeping its number."""
    firm.run()
    firm.write(dearer())
    ran, before = firm.run(), firm.writes
    assert ran.counts == {"changed": 3}

    code, printed = firm.resolve("--run", ran.run_id, "--accepted", "--yes")

    assert (code, "3 documents" in printed) == (0, True)
    later = firm.run()
    assert (later.counts, firm.writes) == ({"already_accepted": 3}, before)
    assert [document["number"] for document in later.documents] == ["000001", "000002", "000003"]


@pytest.mark.parametrize(("word", "status"), [("--accepted", "already_accepted"), ("--not-there", "accepted")])
def test_a_person_decides_on_a_twin_under_another_key(tmp_path: Path, word: str, status: str) -> None:
    """The same content under a new key is either the known document or another one; the first stays as it is."""
    mapping = MAPPING.replace("  externalReference: Invoice no\n", "")
    with office(tmp_path, mapping, invoice_rows(1)) as firm:
        firm.run()
        twin = ("X0001", *invoice_rows(1)[0][1:])
        firm.write([*invoice_rows(1), twin])
        found = firm.run().document("X0001")
        assert (found["status"], word in found["message"]) == ("changed", True)

        assert firm.resolve("--key", "X0001", word, "--yes")[0] == 0

        later = firm.run()
        assert [document["status"] for document in later.documents] == ["already_accepted", status]
        assert len(firm.numbers) == (1 if word == "--accepted" else 2)


def test_without_yes_nobody_decides_where_nobody_can_be_asked(firm: Office) -> None:
    """Without a terminal the command refuses with 3, and the journal stays as it was."""
    ran = firm.doubt("cut_after")
    before = firm.attempt("F0002")

    for what in (("--key", "F0002"), ("--run", ran.run_id)):
        done = program("resolve", *what, "--accepted", "--target", "test", cwd=firm.project)
        assert (done.returncode, "--yes" in done.stderr) == (3, True)

    assert firm.attempt("F0002") == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize(("typed", "code", "state"), [("n", 3, "unknown"), ("y", 0, "accepted")])
def test_without_yes_the_person_is_asked(firm: Office, typed: str, code: int, state: str) -> None:
    """At a terminal the program shows what Visma says, asks, and does what is answered."""
    firm.doubt("cut_after")
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())

    done = subprocess.run(
        [sys.executable, "-m", "importer", *["resolve", "--key", "F0002", "--accepted", "000002", "--target", "test"]],
        cwd=firm.project,
        env=environment(firm.project),
        stdin=theirs,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    for end in (ours, theirs):
        os.close(end)
    assert (done.returncode, firm.attempt("F0002")["state"]) == (code, state)
    assert done.stderr.index("Visma has 000002") < done.stderr.index("F0002 as accepted?")


@pytest.mark.parametrize(
    "arguments",
    [
        "--key F0002",
        "--run RUN",
        "--run RUN --accepted 4711",
        "--accepted",
        "--accepted 1",
        "--not-there",
        "--key F0002 --accepted 1 --not-there",
        "--key F0002 --run RUN --accepted",
        "--key NOBODY --accepted 1",
        "--key NOBODY --not-there",
        "--key F0002 --endpoint customer.create --not-there",
        "--key F0002 --accepted --settle-after soon",
    ],
)
def test_what_says_no_decision_is_refused(firm: Office, arguments: str) -> None:
    """A wrong combination, or a key that stands for nothing, ends with 2 and changes nothing."""
    ran = firm.doubt("cut_after")
    before = firm.attempt("F0002")

    assert firm.resolve(*arguments.replace("RUN", ran.run_id).split(), "--yes")[0] == 2
    assert firm.attempt("F0002") == before


def test_a_key_of_two_endpoints_needs_its_endpoint(firm: Office) -> None:
    """An invoice and a credit note may have one key; the refusal names both, and --endpoint decides."""
    firm.doubt("cut_after")
    firm.write(invoice_rows(3), mapping=CREDIT_NOTES)
    firm.doubt("cut_after", match="POST customercreditnote")

    code, printed = firm.resolve("--key", "F0002", "--accepted", "7", "--yes")
    assert (code, "customerCreditNote.create, customerInvoice.create" in printed) == (2, True)
    assert firm.resolve("--key=F0002", "--endpoint=customerInvoice.create", "--accepted=7", "--yes")[0] == 0

    assert firm.attempt("F0002")["state"] == "unknown"
    firm.write(invoice_rows(3), mapping=MAPPING)
    assert firm.run().document("F0002")["number"] == "7"


def test_a_changed_document_is_never_taken_for_one_of_another_endpoint(tmp_path: Path) -> None:
    """A key that is an accepted invoice and a changed credit note needs --endpoint too; the invoice stays as it is."""
    with office(tmp_path, MAPPING.replace("  externalReference: Invoice no\n", ""), invoice_rows(1)) as firm:
        firm.run()
        notes = CREDIT_NOTES.replace("  externalReference: Invoice no\n", "")
        firm.write([("N0001", *invoice_rows(1)[0][1:])], mapping=notes)
        firm.run()
        firm.write(invoice_rows(1))
        assert firm.run().counts == {"changed": 1}
        before = firm.attempt("F0001")

        assert firm.resolve("--key", "F0001", "--accepted", "--yes")[0] == 2
        assert firm.attempt("F0001") == before


def test_a_changed_document_is_decided_although_another_endpoint_met_its_key(firm: Office) -> None:
    """A rejected credit note with the same key does not stand between a person and the changed invoice."""
    firm.run()
    firm.write(dearer())
    firm.run()
    firm.write([("F0002", "99999", date(2025, 1, 27), "Nobody's", 1, 1)], mapping=CREDIT_NOTES)
    assert firm.run().counts == {"rejected": 1}

    assert firm.resolve("--key", "F0002", "--accepted", "--yes")[0] == 0

    firm.write(dearer(), mapping=MAPPING)
    assert firm.run().document("F0002")["status"] == "already_accepted"
