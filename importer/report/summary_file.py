"""Write summary.md: what a run or a check came to, as services that run jobs show it beside the job."""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from decimal import Decimal
from pathlib import Path
from typing import Final

from importer.findings import row_list
from importer.model import Outcome, RunRecord, Total
from importer.report.contents import Contents
from importer.report.counts import count
from importer.report.markdown import table, text
from importer.report.troubles import Trouble, troubles, warnings
from importer.report.words import (
    ending,
    equation,
    headline,
    is_check,
    label,
    meaning,
    moment,
    reach,
)

#: As many causes are shown, and of each as many documents: the rest is in the report's other files.
_MAX_CAUSES: Final = 30
_MAX_DOCUMENTS: Final = 5


def write(target: Path, told: Contents) -> None:
    """Write a run's summary as Markdown."""
    target.write_bytes(summary(told).encode("utf-8"))


def summary(told: Contents) -> str:
    """Return a run's summary; some tens of kilobytes at most, however many documents there are."""
    record, counts = told.record, count(told.outcomes)
    lines = [f"## {text(record.mapping_name)}: {text(headline(record, counts))}", ""]
    lines += [f"**{text(reach(record))}**", ""]
    if not is_check(record):
        lines += [text(ending(record, counts)), ""]
    if record.stopped:
        lines += [f"Stopped early: {text(record.stopped)}", ""]
    lines += _counts(record, told.outcomes)
    if record.totals:
        lines += ["### Control totals", "", *_totals(record.totals)]
    lines += needs_attention(troubles(told), told.outcomes)
    lines += _odd(warnings(record))
    return "\n".join([*lines, " · ".join(_facts(record)), ""])


def _counts(record: RunRecord, outcomes: Sequence[Outcome]) -> list[str]:
    counts = {status: counted for status, counted in count(outcomes).items() if counted.documents}
    rows = [
        (label(status), f"{counted.documents:,}", f"{counted.rows:,}", meaning(record, status))
        for status, counted in counts.items()
    ]
    told = equation(record.rows_read, [counted.rows for counted in counts.values()])
    return [*table(("Status", "Documents", "Rows", "What to do next"), rows, (1, 2)), told, ""]


def _totals(found: Sequence[Total]) -> list[str]:
    rows = [
        (
            text(total.name),
            "cannot be added up" if total.sum is None else _amount(total.sum),
            "" if total.expect is None else _amount(total.expect),
            "" if total.expect is None else ("agrees" if total.agrees else "**differs**"),
        )
        for total in found
    ]
    return table(("Total", "Sum", "Expected", ""), rows, (1, 2))


def _amount(amount: Decimal) -> str:
    return f"{amount:,f}"


def needs_attention(found: Sequence[Trouble], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines of a table of causes, each with the first of its documents."""
    if not found:
        return []
    placed = {outcome.position: outcome for outcome in outcomes}
    rows = [
        (
            label(one.status),
            f"{len(one.positions):,}" if one.positions else "",
            text(one.title),
            text(one.text),
            text(", ".join(_first(one, placed))),
        )
        for one in found[:_MAX_CAUSES]
    ]
    lines = ["### What needs attention", ""]
    lines += table(("Status", "Documents", "What it is", "What to do", "First of them"), rows, (1,))
    left = found[_MAX_CAUSES:]
    return [*lines, f"And {len(left):,} more causes: the report lists all.", ""] if left else lines


def _odd(found: Sequence[Trouble]) -> list[str]:
    if not found:
        return []
    rows = [(text(one.title), text(one.text)) for one in found[:_MAX_CAUSES]]
    return ["### What is odd, and holds nothing back", "", *table(("What it is", "What to look at"), rows)]


def _first(one: Trouble, outcomes: Dictionary[int, Outcome]) -> Iterator[str]:
    """Name the first documents of a cause with their rows, and say how many more there are."""
    if not one.positions:
        yield from [row_list(one.rows[:_MAX_DOCUMENTS])] if one.rows else ()
    for position in one.positions[:_MAX_DOCUMENTS]:
        outcome = outcomes[position]
        yield f"{'(no key)' if outcome.key is None else outcome.key[:80]} ({row_list(outcome.rows)[:80]})"
    if len(one.positions) > _MAX_DOCUMENTS:
        yield f"and {len(one.positions) - _MAX_DOCUMENTS:,} more"


def _facts(record: RunRecord) -> Iterator[str]:
    """Yield what the run was, for whoever looks it up later."""
    if not is_check(record):
        code = "" if record.exit_code is None else f", exit code {record.exit_code}"
        yield f"Run {text(record.run_id)}{code}"
        yield f"target {text(record.target)}"
    yield f"{text(record.endpoint)}"
    yield f"workbook {text(record.workbook_name)}, sheet {text(record.sheet)}"
    yield moment(record.finished_at or record.started_at)
