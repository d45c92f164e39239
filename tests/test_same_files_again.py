"""A run of the same files again takes up what they were planned to be: it says the same, and misses nothing."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from end_to_end import TARGET, Ran, RawServer, aim, attempts, command, created, error, import_into, program
from filelock import FileLock

from importer import kept_plan
from importer.cli.inputs import read_input
from importer.mapping_file import read_mapping
from importer.model import Outcome, Status
from importer.plan import Plan
from importer.run import first_outcomes

MAPPING = """\
version: 1
name: invoices
endpoint: customerInvoice.create
workbook: {file: invoices.xlsx}
parameters:
  text: {type: text, default: Vinteren}
  net: {type: decimal}
where: "{{ row['Send'] == 'ja' }}"
key: Invoice no
template: body.json.j2
fields:
  externalReference: Invoice no
  customerNumber: Customer
  documentDate: Date
  invoiceText: {template: "{{ param.text }}"}
lines:
  description: Text
  quantity: Qty
  unitPriceInCurrency: {column: Unit price, decimals: 2}
totals:
  - {name: Net, sum: Unit price, expect: "{{ param.net }}"}
"""
#: What a body is made of by a template of the user's own.
TEMPLATE = """\
{"customerNumber": {"value": {{ fields.customerNumber }}}, "documentDate": {"value": {{ fields.documentDate }}},
 "externalReference": {"value": {{ fields.externalReference }}}, "invoiceText": {"value": {{ fields.invoiceText }}},
 "invoiceLines": [{% for line in lines %}{"description": {"value": {{ line.description }}},
 "quantity": {"value": {{ line.quantity }}},
 "unitPriceInCurrency": {"value": {{ line.unitPriceInCurrency }}}}{% if not loop.last %},{% endif %}{% endfor %}]}
"""
HEADERS = ("Invoice no", "Customer", "Date", "Text", "Qty", "Unit price", "Send")
COUNT = kept_plan.FEWEST


def rows() -> Iterator[Sequence[Any]]:
    """Yield rows whose keys and customers are easily taken for others, one with two lines, one that is not sent."""
    for number in range(COUNT - 1):
        yield f"{number:06}", f"{number % 90:04}", date(2026, 10, 1), f"NO, 1 234,{number}", 1, Decimal("19.90"), "ja"
    yield f"{COUNT - 2:06}", f"{(COUNT - 2) % 90:04}", date(2026, 10, 1), "Frakt", 2, Decimal(149), "ja"
    yield "utkast", "0101", date(2026, 10, 1), "Not yet", 1, Decimal(5), "nei"


def write_mapping(folder: Path) -> None:
    """Write the mapping and its template into a folder."""
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    (folder / "body.json.j2").write_text(TEMPLATE, encoding="utf-8")


def send_all(folder: Path) -> None:
    """Make a project, and send everything of it once."""
    folder.mkdir()
    book = openpyxl.Workbook(write_only=True)
    sheet: Any = book.create_sheet("Invoices")
    sheet.append(HEADERS)
    for row in rows():
        sheet.append(row)
    book.save(folder / "invoices.xlsx")
    write_mapping(folder)
    with RawServer(lambda number, _request: created(f"{number:06}")) as server:
        ran = import_into(folder, server.base_url, workers=4)
    assert (ran.code, ran.counts) == (0, {"accepted": COUNT - 1, "filtered": 1})


@pytest.fixture
def sent(shared_folder: Path) -> Path:
    """Return a project of which everything was sent once, made by the first test that needs it."""
    folder = shared_folder / "same-files-again"
    with FileLock(f"{folder}.lock"):
        if not (folder / "project").exists():
            folder.mkdir(exist_ok=True)
            send_all(folder / "sending")
            (folder / "sending").rename(folder / "project")
    return folder / "project"


@pytest.fixture
def project(sent: Path, tmp_path: Path) -> Path:
    """Return a project of which everything was sent."""
    return shutil.copytree(sent, tmp_path / "project")


def again(project: Path, *options: str, answer: Callable[[int, bytes], bytes] | None = None) -> tuple[Ran, list[bytes]]:
    """Run the same once more; return what came of it, and what was sent."""
    with RawServer(answer or (lambda number, _request: created(f"9{number:05}"))) as server:
        ran = import_into(project, server.base_url, options=options)
    return ran, server.requests


def kept(project: Path) -> Path:
    """Return the file of the plan that is kept."""
    (file,) = (project / ".visma-import" / "workbooks").glob("*.plan")
    return file


def told(ran: Ran) -> dict[str, Any]:
    """Return all that results.json says but for which run it was and when."""
    own = {"run_id", "started_at", "finished_at"}
    return {name: value for name, value in ran.results.items() if name not in own}


def cells(ran: Ran) -> list[tuple[Any, ...]]:
    """Return every cell of the sheet in results.xlsx."""
    with closing(openpyxl.load_workbook(ran.folder / "results.xlsx", read_only=True)) as book:
        return list(book["Invoices"].values)


def test_what_is_taken_up_says_in_every_file_what_planning_it_once_more_says(project: Path) -> None:
    """Nothing is sent either way, and results.json and results.xlsx are the same."""
    first, sent_first = again(project)
    kept(project).unlink()
    second, sent_second = again(project)

    assert sent_first == sent_second == []
    assert first.counts == second.counts == {"already_accepted": COUNT - 1, "filtered": 1}
    assert told(first) == told(second)
    assert cells(first) == cells(second)
    assert first.document("000000")["number"] is not None
    # the second had to plan it, and kept it for the next
    assert kept(project).exists()


def test_a_run_of_the_same_files_takes_up_what_was_planned(project: Path) -> None:
    """A warning that no workbook gives is told, since it stands in the plan that is kept."""
    head, _, data = kept(project).read_bytes().partition(b"\n")
    data = data.replace(b'"warnings":[', b'"warnings":[{"code":"made_up","message":"It was taken up."}', 1)
    made = head.split()[0].decode()
    kept(project).write_bytes(f"{made} {sha256(data).hexdigest()}\n".encode() + data)
    with RawServer(lambda *_: b"") as server:
        aim(project, server.base_url)
        code, out, _ = command("run", "mapping.yaml", *TARGET, cwd=project)

    assert code == 0
    assert "It was taken up." in out


def edit_mapping(project: Path) -> list[str]:
    file = project / "mapping.yaml"
    file.write_text(MAPPING.replace("param.text }}", "param.text }}!"), encoding="utf-8")
    return []


def edit_template(project: Path) -> list[str]:
    file = project / "body.json.j2"
    file.write_text(TEMPLATE.replace("line.description", "line.description ~ '!'"), encoding="utf-8")
    return []


def give_a_parameter(_project: Path) -> list[str]:
    return ["--param", "text=Sommeren"]


@pytest.mark.parametrize("change", [edit_mapping, edit_template, give_a_parameter])
def test_what_another_content_is_made_of_is_planned_anew(project: Path, change: Callable[[Path], list[str]]) -> None:
    """Each document is `changed`, none `already_accepted`; and taken back, all of it is as it was."""
    options = change(project)
    ran, requests = again(project, *options)

    assert requests == []
    assert ran.code == 4
    assert ran.counts == {"changed": COUNT - 1, "filtered": 1}
    write_mapping(project)
    assert again(project)[0].counts == {"already_accepted": COUNT - 1, "filtered": 1}


def test_one_cell_of_the_workbook_is_not_overlooked(project: Path) -> None:
    """It is another file then."""
    book = openpyxl.load_workbook(project / "invoices.xlsx")
    book["Invoices"]["D9"] = "Something else"
    book.save(project / "invoices.xlsx")
    ran, _ = again(project)

    assert ran.counts == {"already_accepted": COUNT - 2, "changed": 1, "filtered": 1}


def test_a_total_that_does_not_agree_is_found_although_nothing_would_be_sent(project: Path) -> None:
    """The expectation is a parameter, and so is what the plan is made of."""
    ran, requests = again(project, "--param", "net=1.00")

    assert ran.code == 3
    assert requests == []


def say_it_is_not_there(project: Path, folder: Path) -> int:
    """Say in another folder with the same journal that a document is not in Visma; return the exit code."""
    folder.mkdir()
    with RawServer(lambda *_: b"") as server:
        aim(folder, server.base_url)
        journal = project / ".visma-import" / "journal.db"
        return program(
            "resolve", "--key", "000007", "--not-there", *TARGET, "--journal", journal, cwd=folder
        ).returncode


def test_what_the_journal_no_longer_holds_as_accepted_is_sent_with_its_body(project: Path, tmp_path: Path) -> None:
    """A person said that it is not there: the plan that is kept has no bodies, and is not enough."""
    assert say_it_is_not_there(project, tmp_path / "other") == 0
    ran, requests = again(project)

    assert ran.counts == {"accepted": 1, "already_accepted": COUNT - 2, "filtered": 1}
    assert len(requests) == 1
    assert b'"000007"' in requests[0]
    assert b'"NO, 1 234,7"' in requests[0]


def test_nothing_is_sent_where_the_journal_changes_between_taking_up_and_deciding(
    project: Path, tmp_path: Path
) -> None:
    """While the token is fetched somebody says that a document is not there: the run ends, and the next one sends."""
    said = []

    class Slow(RawServer):
        def _reply(self, request: bytes) -> bytes:
            if request.startswith(b"POST /connect/token"):
                said.append(say_it_is_not_there(project, tmp_path / "other"))
            return super()._reply(request)

    with Slow(lambda number, _request: created(f"9{number:05}")) as server:
        aim(project, server.base_url)
        code, _, err = command("run", "mapping.yaml", *TARGET, cwd=project)
    ran, requests = again(project)

    assert said == [0]
    assert code == 3
    assert "Nothing was sent. Run again." in err
    assert server.requests == []
    assert ran.counts == {"accepted": 1, "already_accepted": COUNT - 2, "filtered": 1}
    assert len(requests) == 1


def test_in_another_company_nothing_was_accepted(project: Path) -> None:
    """It is planned there, and sent, until the same refusal has come often enough."""
    with RawServer(lambda *_: error(400, "Not in this company")) as server:
        aim(project, server.base_url)
        file = project / "targets.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace("11111111", "99999999"), encoding="utf-8")
        code, _, _ = command("run", "mapping.yaml", *TARGET, "--report", "other", cwd=project)
    ran = Ran(code, project / "other")

    assert server.requests
    assert set(ran.counts) == {"rejected", "not_sent", "filtered"}


def test_a_plan_that_is_damaged_is_made_anew(project: Path) -> None:
    """Cut short, or with one character changed."""
    whole = kept(project).read_bytes()
    for damaged in (whole[:-1], whole.replace(b'"000007"', b'"000008"', 1)):
        kept(project).write_bytes(damaged)
        assert again(project)[0].counts == {"already_accepted": COUNT - 1, "filtered": 1}
        assert kept(project).read_bytes() == whole


def test_a_part_of_the_workbook_is_planned_by_itself(project: Path) -> None:
    """What --only and --limit leave out is filtered, and no plan of a part is kept for the whole."""
    before = kept(project).read_bytes()
    ran, _ = again(project, "--limit", "3")

    assert ran.counts == {"already_accepted": 3, "filtered": COUNT - 3}
    assert kept(project).read_bytes() == before
    assert again(project)[0].counts == {"already_accepted": COUNT - 1, "filtered": 1}


def test_only_its_owner_reads_a_plan_that_is_kept(project: Path) -> None:
    """It holds customer numbers."""
    assert kept(project).stat().st_mode & 0o077 == 0


def test_whatever_a_plan_is_made_of_tells_it_from_another(tmp_path: Path) -> None:
    """The mapping, its template, what that includes, the workbook, the parameters and the day."""

    def made(workbook: str = "a", params: dict[str, Any] | None = None, day: int = 1, name: str = "a.csv") -> str:
        mapping, given = read_mapping(tmp_path / "mapping.yaml"), params or {"net": Decimal("1.0")}
        return kept_plan.made_of(mapping, tmp_path / name, workbook, given, date(2026, 11, day))

    def edit(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return made()

    write_mapping(tmp_path)
    (tmp_path / "part.j2").write_text("1", encoding="utf-8")
    including = TEMPLATE.replace("{{ fields.invoiceText }}", '{% include "part.j2" %}')
    first = made()
    told = [
        first,
        made(workbook="b"),
        # the sheet of a text file is named after it
        made(name="b.csv"),
        made(params={"net": Decimal("1.00")}),
        made(params={"net": "1.0"}),
        made(params={"gross": Decimal("1.0")}),
        made(day=2),
        edit("body.json.j2", including),
        edit("part.j2", "2"),
        edit("mapping.yaml", MAPPING.replace("decimals: 2", "decimals: 1")),
    ]
    write_mapping(tmp_path)

    assert len(set(told)) == len(told)
    assert made() == first


def test_what_is_taken_up_is_the_plan_without_bodies(project: Path, tmp_path: Path) -> None:
    """Each document but for its body, each total to the last digit, each warning."""
    given = read_input(project / "mapping.yaml", None)
    copy = tmp_path / "copy.xlsx"
    kept_plan.keep(copy, "what it is made of", given.plan)
    found = kept_plan.take_up(copy, "what it is made of", given.mapping, given.workbook)

    assert kept_plan.take_up(copy, "something else", given.mapping, given.workbook) is None
    assert found is not None
    left_out = {"body": b"", "expect": ""}
    assert found.documents == tuple(replace(document, **left_out) for document in given.plan.documents)
    assert (found.totals, found.warnings, found.rows_read) == (given.plan.totals, given.plan.warnings, COUNT + 1)
    assert found.sheet.headers == given.plan.sheet.headers


def test_no_plan_is_kept_that_leaves_anything_to_do(project: Path) -> None:
    """One document that was rejected, is in doubt or was not sent is enough, and so is a small workbook."""
    plan = read_input(project / "mapping.yaml", None).plan
    outcomes = [replace(one, status=Status.ACCEPTED) for one in first_outcomes(plan.documents)]

    def worth(plan: Plan, outcomes: Sequence[Outcome]) -> bool:
        return kept_plan.is_worth_it(plan, outcomes)

    assert worth(plan, outcomes)
    assert not worth(replace(plan, documents=plan.documents[:-1]), outcomes)
    assert not worth(replace(plan, taken_up=True), outcomes)
    assert not worth(replace(plan, unselected=frozenset({2})), outcomes)
    for status in (Status.REJECTED, Status.UNKNOWN, Status.NOT_SENT, Status.CHANGED, Status.INVALID):
        assert not worth(plan, [*outcomes[:-1], replace(outcomes[-1], status=status)])
    assert len(attempts(project)) == COUNT - 1
