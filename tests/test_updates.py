"""Updates and actions by mapping, as people run them, against the sandbox: what is sent, when again, and what not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from end_to_end import RawServer, http, write_workbook
from test_every_operation import company

from importer.api.client import Answer, Client
from importer.api.session import Session
from importer.api.verdict import judge_action
from importer.cli import run_command
from importer.endpoints import table
from importer.lookup import prove
from importer.model import Status
from importer.sandbox import Fault, Sandbox, Settings, inspect
from importer.sandbox.server import Logged

CUSTOMER = """\
version: 1
endpoint: customer.update
key: No
fields:
  name: Name
  creditTermsId: Terms
  mainAddress: {city: City}
"""
LINES = """\
version: 1
endpoint: customerInvoice.update
key: No
fields: {customerRefNumber: Ref}
lines:
  lineNumber: Line
  operation: {column: Op, map: {x: Delete, new: Insert}}
  description: Text
  quantity: Qty
"""
LINE_HEADERS = ("No", "Ref", "Line", "Op", "Text", "Qty")
LETTER = """\
version: 1
endpoint: customer.createDunningLetter
key: No
fields: {dunningLetterDate: Date, levelFrom: From, levelTo: To}
"""
RELEASE = "version: 1\nendpoint: customerInvoice.release\nkey: No\n"
LETTERS = ("No", "Date", "From", "To")
HEADERS = ("No", "Name", "Terms", "City")
SETTINGS = Settings(release_delay_s=0, strict=True)
SOMEBODY = {"X-By": "somebody"}


@dataclass
class Office:
    """Hold a served company, a project folder, and somebody else who works in the company too."""

    box: Sandbox
    project: Path
    runs: int = 0
    seen: int = 0

    def put(self, mapping: str, headers: tuple[str, ...], *rows: tuple[Any, ...]) -> None:
        """Write the mapping and its workbook."""
        (self.project / "mapping.yaml").write_text(mapping, encoding="utf-8")
        write_workbook(self.project / "rows.xlsx", rows, headers)

    def say(self, command: str, *options: str) -> int:
        """Give a command for the mapping and its workbook; return its exit code."""
        target = [] if command == "check" else ["--target", "company"]
        return run_command([command, "mapping.yaml", "rows.xlsx", *target, *options])

    def run(self, mapping: str, headers: tuple[str, ...], *rows: tuple[Any, ...]) -> tuple[int, list[str], list[str]]:
        """Run rows by a mapping; return the exit code, and each document's status and message."""
        self.put(mapping, headers, *rows)
        self.runs += 1
        folder = self.project / "reports" / str(self.runs)
        code = self.say("run", "--yes", "--quiet", "--workers", "1", "--report", str(folder))
        documents = json.loads((folder / "results.json").read_text(encoding="utf-8"))["documents"]
        return code, [each["status"] for each in documents], [each["message"] for each in documents]

    def writes(self) -> list[Logged]:
        """Return the program's writes since this was last asked."""
        log = self.box.requests_log
        found, self.seen = log[self.seen :], len(log)
        return [
            each
            for each in found
            if each.method != "GET" and "/connect/" not in each.path and "x-by" not in each.headers
        ]

    def bodies(self) -> list[Any]:
        """Return the bodies of the program's writes since writes were last asked for."""
        return [json.loads(each.body) for each in self.writes()]

    def somebody(self, method: str, path: str, body: Any = None) -> Answer:
        """Let somebody else send a request."""
        client = Client(self.box.base_url)
        answer = client.exchange(method, path, json.dumps(body).encode() if body is not None else None, SOMEBODY)
        client.close()
        assert isinstance(answer, Answer)
        assert answer.status < 300, answer
        return answer

    def invoice(self, number: str, *texts: str) -> str:
        """Let somebody else create an invoice with as many lines as there are texts."""
        lines = [{"operation": "Insert", "description": {"value": text}, "quantity": {"value": 1}} for text in texts]
        body = {"referenceNumber": {"value": number}, "customerNumber": {"value": "10001"}, "invoiceLines": lines}
        self.somebody("POST", "/v1/customerinvoice", body)
        return number

    def held(self, resource: str, number: str) -> dict[str, Any]:
        """Return what the API reads out."""
        found: dict[str, Any] = json.loads(self.somebody("GET", f"/v1/{resource}/{number}").body)
        return found


@contextmanager
def serve(folder: Path, settings: Settings = SETTINGS) -> Iterator[Office]:
    """Serve a company in which nothing but what it starts with is there."""
    with company(folder, settings=settings) as (box, project):
        yield Office(box, project)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Serve a company without faults."""
    with serve(tmp_path) as found:
        yield found


def wrap(**values: Any) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


def test_only_mapped_and_filled_cells_are_sent(office: Office) -> None:
    """The body holds what is mapped and filled in, so that Visma keeps everything else."""
    mapping = CUSTOMER + "  status: {column: Status, map: {ja: OnHold}}\n"
    code, _, _ = office.run(mapping, (*HEADERS, "Status"), ("10001", "Nytt navn", None, None, None))
    assert code == 0
    assert office.bodies() == [wrap(name="Nytt navn")]
    assert office.held("customer", "10001")["mainAddress"]["city"]


def test_a_blank_that_clears_sends_empty_text(office: Office) -> None:
    """With `blank: clear` a blank cell goes out as empty text, and without it not at all."""
    mapping = CUSTOMER.replace("creditTermsId: Terms", "creditTermsId: {column: Terms, blank: clear}")
    assert office.run(mapping, HEADERS, ("10001", "Navn", None, None))[0] == 0
    assert office.bodies() == [wrap(name="Navn", creditTermsId="")]


def test_a_line_is_updated_by_its_number_inserted_without_one_and_deleted_when_mapped(office: Office) -> None:
    """The operation of a line follows from its number and from what the mapping says."""
    number = office.invoice("5001", "Kaffe", "Te")
    rows = [(number, "R1", 1, None, "Mer kaffe", 3), (number, "R1", None, None, "Kake", 2)]
    assert office.run(LINES, LINE_HEADERS, *rows, (number, "R1", 2, "x", None, None))[0] == 0
    update = {"operation": "Update", **wrap(lineNumber=1, description="Mer kaffe", quantity=3)}
    insert = {"operation": "Insert", **wrap(description="Kake", quantity=2)}
    delete = {"operation": "Delete", **wrap(lineNumber=2)}
    assert office.bodies() == [{**wrap(customerRefNumber="R1"), "invoiceLines": [update, insert, delete]}]
    lines = office.held("customerinvoice", number)["invoiceLines"]
    assert [(line["lineNumber"], line["description"]) for line in lines] == [(1, "Mer kaffe"), (3, "Kake")]


def test_an_insert_with_a_line_number_is_a_problem_and_nothing_is_sent(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """What says both "this line" and "a new line" is told with row and column, and holds the run."""
    office.put(LINES, LINE_HEADERS, (office.invoice("5001", "Kaffe"), None, 1, "new", "Kake", 1))
    assert office.say("run", "--yes", "--json") == 3
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["row"], problem["column"], problem["value"]) == (2, "Line", "1")
    assert problem["code"] == "insert_with_number"
    assert office.writes() == []


@pytest.mark.parametrize("command", ["check", "plan"])
def test_inserted_lines_are_counted_and_a_document_with_both_kinds_is_warned_of(
    office: Office, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Before anything is sent people read how many lines would be new, and where a number may be missing."""
    number, other = office.invoice("5001", "Kaffe"), office.invoice("5002", "Te")
    rows = [(number, None, 1, None, "Kaffe", 3), (number, None, None, None, "Kake", 2)]
    new = [(other, None, None, None, f"Nummer {count}", 2) for count in range(2)]
    office.put(LINES, LINE_HEADERS, *rows, *new)
    assert office.say(command) == 0
    shown = capsys.readouterr().out
    (counted,) = [line for line in shown.splitlines() if "inserted" in line and "3" in line]
    assert counted
    assert office.say(command, "--json") == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert "5001" in warning["message"]
    assert warning["message"] in shown
    assert office.writes() == []


def test_back_and_forth_is_sent_each_time_and_the_same_again_is_not(office: Office) -> None:
    """A, B, A sends three times; once more A is accepted already."""
    answers = [office.run(CUSTOMER, HEADERS, ("10001", name, None, None)) for name in "ABAA"]
    assert [code for code, _, _ in answers] == [0, 0, 0, 0]
    assert [statuses for _, statuses, _ in answers] == [["accepted"]] * 3 + [["already_accepted"]]
    assert office.bodies() == [wrap(name=name) for name in "ABA"]


def test_inserted_lines_are_sent_once_also_after_another_update(office: Office) -> None:
    """The same new line again is accepted already, also when other lines went out in between."""
    number = office.invoice("5001", "Kaffe")
    cake, tea = [(number, None, None, None, text, 1) for text in ("Kake", "Te")]
    found = [office.run(LINES, LINE_HEADERS, row)[1] for row in (cake, tea, cake)]
    assert found == [["accepted"], ["accepted"], ["already_accepted"]]
    texts = [line["description"] for line in office.held("customerinvoice", number)["invoiceLines"]]
    assert texts == ["Kaffe", "Kake", "Te"]


def test_a_doubtful_update_goes_again_with_the_same_bytes_only(tmp_path: Path) -> None:
    """Other content for the customer waits behind a doubtful update, also once the same content went again."""
    lost = Fault(match="PUT /customer/", kind="cut_before", nth=1)
    with serve(tmp_path, replace(SETTINGS, faults=(lost,))) as office:
        assert office.run(CUSTOMER, HEADERS, ("10001", "A", None, None))[:2] == (5, ["unknown"])
        assert len(office.writes()) == 1
        code, statuses, messages = office.run(CUSTOMER, HEADERS, ("10001", "B", None, None))
        assert (code, statuses, office.writes()) == (5, ["not_sent"], [])
        assert "10001" in messages[0]
        assert office.run(CUSTOMER, HEADERS, ("10001", "A", None, None))[:2] == (0, ["accepted"])
        assert office.run(CUSTOMER, HEADERS, ("10001", "B", None, None))[:2] == (5, ["not_sent"])
        assert office.bodies() == [wrap(name="A")]


def test_a_doubtful_update_with_new_lines_is_never_repeated(tmp_path: Path) -> None:
    """Where lines may have been added already, the same update stays unknown and other content waits."""
    lost = Fault(match="PUT /customerinvoice/", kind="cut_after", nth=1)
    with serve(tmp_path, replace(SETTINGS, faults=(lost,))) as office:
        number = office.invoice("5001", "Kaffe")
        cake, tea = [(number, None, None, None, text, 1) for text in ("Kake", "Te")]
        assert office.run(LINES, LINE_HEADERS, cake)[:2] == (5, ["unknown"])
        assert len(office.writes()) == 1
        assert office.run(LINES, LINE_HEADERS, cake)[:2] == (5, ["unknown"])
        assert office.run(LINES, LINE_HEADERS, tea)[:2] == (5, ["not_sent"])
        assert office.writes() == []
        assert len(office.held("customerinvoice", number)["invoiceLines"]) == 2


def test_compare_sends_the_fields_of_a_customer_that_differ(office: Office) -> None:
    """With `compare: true` what Visma holds already is left out, and nothing is sent where all is equal."""
    held = office.held("customer", "10001")
    rows = [("10001", held["name"], "30", held["mainAddress"]["city"]), ("10002", "Annet", None, "Bergen")]
    assert office.run(CUSTOMER + "compare: true\n", HEADERS, *rows)[1] == ["accepted", "accepted"]
    assert office.bodies() == [
        wrap(creditTermsId="30"),
        wrap(name="Annet", mainAddress=wrap(city="Bergen")),
    ]
    fewer = [("10001", None, "30", None), ("10002", "Annet", None, None)]
    code, statuses, _ = office.run(CUSTOMER + "compare: true\n", HEADERS, *fewer)
    assert (code, statuses, office.writes()) == (0, ["already_accepted"] * 2, [])


def test_compare_sends_the_lines_and_their_fields_that_differ(office: Office) -> None:
    """Of the lines only what differs goes out, and nothing where all is equal; a new line always differs."""
    mapping = LINES + "compare: true\n"
    number = office.invoice("5001", "Kaffe", "Te")
    same = [(number, None, 1, None, "Kaffe", 1), (number, None, 2, None, "Te", 1)]
    code, statuses, _ = office.run(mapping, LINE_HEADERS, *same)
    assert (code, statuses, office.writes()) == (0, ["already_accepted"], [])
    assert office.run(mapping, LINE_HEADERS, same[0], (number, None, 2, None, "Te", 5))[0] == 0
    line = {"operation": "Update", **wrap(lineNumber=2, quantity=5)}
    assert office.bodies() == [{"invoiceLines": [line]}]


def test_the_tag_that_was_read_goes_out_and_a_change_in_between_is_refused(tmp_path: Path) -> None:
    """`if_changed: refuse` sends the version read; somebody's change after the reading gives 412, told in words."""
    slow = Fault(match="GET /customer/10001", kind="hang", nth=1, delay_s=0.5)
    with serve(tmp_path, replace(SETTINGS, faults=(slow,))) as office:
        over, tags = threading.Event(), list[str]()

        def change() -> None:
            while not over.wait(0.02):
                answer = office.somebody("PUT", "/v1/customer/10001", wrap(name=f"Theirs {len(tags)}"))
                tags.append(answer.headers["ETag"])

        other = threading.Thread(target=change)
        other.start()
        mapping = CUSTOMER + "if_changed: refuse\n"
        code, statuses, messages = office.run(mapping, HEADERS, ("10001", "Ours", None, None))
        over.set()
        other.join()
        (write,) = office.writes()
        assert (code, statuses, write.status) == (4, ["rejected"], 412)
        assert write.headers["if-match"] in tags[:-1]
        assert "changed by someone since" in messages[0]
        assert office.held("customer", "10001")["name"] == f"Theirs {len(tags) - 1}"
        assert office.run(mapping, HEADERS, ("10001", "Ours", None, None))[:2] == (0, ["accepted"])
        assert office.writes()[0].headers["if-match"] == tags[-1]


@pytest.mark.parametrize("more", ["", "compare: true\n", "if_changed: refuse\n"])
def test_an_unknown_number_is_rejected_and_nothing_is_created(office: Office, more: str) -> None:
    """An update of what is not there rejects its row, names the number, and the others go on."""
    rows = [("99999", "Nobody", None, None), ("10001", "Navn", None, None)]
    code, statuses, messages = office.run(CUSTOMER + more, HEADERS, *rows)
    assert (code, statuses) == (4, ["rejected", "accepted"])
    assert "99999" in messages[0]
    assert inspect.documents(office.project.parent / "company", "customer") == []


@pytest.mark.parametrize("key", ["a/b", "..", ".", "æ ø", "100%", "a?b", "a#b", "a\\b", "10001/action/x", "%2e%2e"])
def test_a_key_with_reserved_characters_reaches_its_own_document(office: Office, key: str) -> None:
    """No key can be another path: the customer of that number is changed and no other."""
    office.somebody("POST", "/v1/customer", wrap(number=key, name="Before"))
    assert office.run(CUSTOMER, HEADERS, (key, "After", None, None))[:2] == (0, ["accepted"])
    (write,) = office.writes()
    assert write.path.startswith("/v1/customer/")
    assert (write.path.count("/"), write.query) == (3, "")
    changed = inspect.documents(office.project.parent / "company", "customer", seed=True)
    assert [each["number"] for each in changed if each["body"]["name"]["value"] == "After"] == [key]


def test_a_letter_is_sent_once_for_its_date_and_unwrapped(office: Office) -> None:
    """The same letter twice is accepted already; another date is another letter."""
    first, second = ("10001", date(2025, 1, 27), 1, 2), ("10001", date(2025, 2, 27), 1, 2)
    found = [office.run(LETTER, LETTERS, row)[:2] for row in (first, first, second, first)]
    assert found == [(0, [status]) for status in ("accepted", "already_accepted", "accepted", "already_accepted")]
    bodies = office.bodies()
    assert bodies == [
        {"dunningLetterDate": f"2025-0{month}-27T00:00:00Z", "levelFrom": 1, "levelTo": 2} for month in (1, 2)
    ]


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "502_html", "500_after"])
def test_a_doubtful_letter_is_never_sent_again(tmp_path: Path, kind: Any) -> None:
    """A letter that may have gone out stays unknown, another for that customer waits, other customers go on."""
    lost = Fault(match="POST /action/", kind=kind, nth=1)
    with serve(tmp_path, replace(SETTINGS, faults=(lost,))) as office:
        letter, later, other = [
            (number, date(2025, month, 27), 1, 2) for number, month in (("10001", 1), ("10001", 2), ("10002", 2))
        ]
        assert office.run(LETTER, LETTERS, letter)[:2] == (5, ["unknown"])
        assert len(office.writes()) == 1
        assert office.run(LETTER, LETTERS, letter)[:2] == (5, ["unknown"])
        assert office.run(LETTER, LETTERS, later)[:2] == (5, ["not_sent"])
        assert office.writes() == []
        assert office.run(LETTER, LETTERS, other)[:2] == (0, ["accepted"])


@pytest.mark.parametrize(
    ("said", "code", "status"),
    [
        (b'{"actionResult": "Failed", "errorInfo": "No overdue documents."}', 4, "rejected"),
        (b'{"actionResult": "Done", "errorInfo": ""}', 0, "accepted"),
        (b'{"actionResult": "Queued", "errorInfo": ""}', 5, "unknown"),
        (b'{"actionResult": "InProcess", "errorInfo": ""}', 5, "unknown"),
        (b'{"actionResult": "Perhaps"}', 5, "unknown"),
        (b"", 5, "unknown"),
    ],
)
def test_only_an_action_that_is_done_is_accepted(office: Office, said: bytes, code: int, status: str) -> None:
    """Each word the API may answer an action with has its own end; a failure is told with its reason."""
    with RawServer(lambda _nth, _request: http(200, said, Content_Type="application/json")) as raw:
        targets = office.project / "targets.yaml"
        text = targets.read_text(encoding="utf-8").replace(
            f"base_url: {office.box.base_url}", f"base_url: {raw.base_url}"
        )
        targets.write_text(text, encoding="utf-8")
        found = office.run(LETTER, LETTERS, ("10001", date(2025, 1, 27), 1, 2))
        posts = [each for each in raw.requests if each.startswith(b"POST")]
    assert (found[:2], len(posts)) == ((code, [status]), 1)
    assert status != "rejected" or "No overdue documents." in found[2][0]


def test_a_release_is_proven_by_reading_the_status(tmp_path: Path) -> None:
    """The answer to a release says only that it begins; accepted is what reads Open afterwards."""
    with serve(tmp_path, replace(SETTINGS, release_delay_s=1)) as office:
        number = office.invoice("5001", "Kaffe")
        code, statuses, messages = office.run(RELEASE, ("No",), (number,))
        assert (code, statuses) == (0, ["accepted"])
        assert "Open" in messages[0]
        after = [each.method for each in office.box.requests_log if each.path.endswith(number) and not each.query]
        assert after.count("GET") >= 2
        assert office.held("customerinvoice", number)["status"] == "Open"
        assert office.run(RELEASE, ("No",), (number,))[1] == ["already_accepted"]
        assert len(office.writes()) == 1


def test_a_release_that_never_happens_stays_unknown(tmp_path: Path) -> None:
    """Where the status never changes nobody says that it was released, however often it was read."""
    with serve(tmp_path, replace(SETTINGS, release_delay_s=9999)) as office:
        number = office.invoice("5001", "Kaffe")
        answer = office.somebody("POST", f"/v1/customerinvoice/{number}/action/release")
        queued = judge_action(answer, number=number)
        client = Client(office.box.base_url)
        verdict = prove(Session(client), table()["customerInvoice.release"], queued, number)
        client.close()
    assert (queued.queued, verdict.status) == (True, Status.UNKNOWN)
    assert "Balanced" in verdict.message
