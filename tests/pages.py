"""What the tests of results.html and results.junit.xml share: a run, its documents, and cells that mean harm."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from records import record

from importer.model import Outcome, Problem, Status, Total
from importer.report import html_file
from importer.report.checked import check_record
from importer.report.contents import contents

#: Texts that a cell may hold and a page could take for something else.
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "]]>--></title></style><h1>owned</h1>",
    "\"'><svg onload=document.title='owned'>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;&amp;",
    "javascript:document.title='owned'",
    '=HYPERLINK("https://example.com","owned")',
    "\u2028\u2029\u202egnp.exe",
    "a\x00b\x1b[31mc\ud800",
)
RECORD = record(
    run_id="20250127-1",
    started_at="2025-01-27T10:00:00.137Z",
    finished_at="2025-01-27T10:04:05.000Z",
    exit_code=5,
    mapping_name="monthly-invoices",
    rows_read=3,
    totals=(
        Total(name="Net", column="Amount", sum=Decimal("1234567.80"), expect=Decimal("1234567.80")),
        Total(name="Gross", column="Amount incl. VAT", sum=Decimal("-65373.05"), expect=Decimal(-70000)),
    ),
)
#: A check of the same workbook.
CHECK = check_record(replace(RECORD, exit_code=3, target="none", simulated=False), (), (), ())
#: What becomes of one document after the other, again and again; most are accepted.
_TURNS: tuple[tuple[Status, dict[str, Any]], ...] = (
    *((Status.ACCEPTED, {}),) * 12,
    (Status.ALREADY_ACCEPTED, {"message": "Accepted on 2024-12-27 09:12 UTC (run 77aa01bc); nothing was sent."}),
    (Status.REJECTED, {"message": "Visma answered: Customer '10233' cannot be found in the system."}),
    (
        Status.INVALID,
        {"problem": ("Customer", None, "required", "The cell is blank, but it is needed. Fill the cell.")},
    ),
    (Status.CHANGED, {"message": "Accepted on 2024-12-27 09:12 UTC with other content; nothing was sent. Decide."}),
    (Status.FILTERED, {"message": "Left out by the mapping's where."}),
    (Status.UNKNOWN, {"message": "The connection broke: it may or may not be in Visma. Have it looked up."}),
    (Status.NOT_SENT, {"message": "The run was stopped before. Run again."}),
    (Status.INVALID, {"problem": ("Date", "31.02.2025", "not_a_date", "'31.02.2025' is not a day that exists.")}),
)


def outcomes_of(count: int) -> list[Outcome]:
    """Return the outcomes of as many documents, each third of two rows: F00001 in row 2, F00002 in row 3 ..."""
    found, row = [], 2
    for position in range(count):
        status, told = _TURNS[position % len(_TURNS)]
        rows = (row, row + 1) if position % 3 == 2 else (row,)
        row += len(rows)
        problems = ()
        if "problem" in told:
            column, value, code, message = told["problem"]
            problems = (Problem(sheet="Invoices", row=rows[0], column=column, value=value, code=code, message=message),)
        sent = status in {Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN}
        found.append(
            Outcome(
                position=position,
                key=f"F{position + 1:05}",
                status=status,
                rows=rows,
                number=str(900_000 - position) if status in {Status.ACCEPTED, Status.ALREADY_ACCEPTED} else None,
                message=told.get("message", ""),
                problems=problems,
                sent_at=f"2025-01-27T10:{position // 60 % 60:02}:{position % 60:02}.123Z" if sent else None,
            )
        )
    return found


def write_page(file: Path, count: int) -> Path:
    """Write the page of as many documents; return it."""
    outcomes = outcomes_of(count)
    rows = sum(len(outcome.rows) for outcome in outcomes)
    html_file.write(file, contents(replace(RECORD, rows_read=rows), outcomes))
    return file
