"""Sum a plan up in Markdown for the service that runs a job: what a run would do, and what it adds up to."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from importer.findings import row_list
from importer.forecast import OWN, Amount, Forecast
from importer.model import Document, Status
from importer.report.contents import Contents
from importer.report.markdown import table, text
from importer.report.summary_file import needs_attention
from importer.report.troubles import troubles
from importer.report.words import NOTICE

_MEANINGS: Final = {
    "send": "goes out",
    "skip": "accepted before, or left out by a rule",
    "blocked": "waits for a correction or a decision",
}


def summary(told: Contents, forecast: Forecast) -> str:
    """Return the summary of a plan; `told` is what a run would leave that sends nothing."""
    counts, record = forecast.counts(), told.record
    send = counts["send"][0]
    head = f"{send:,} document{'' if send == 1 else 's'} would be sent to {text(forecast.target)}"
    lines = [f"## {text(record.mapping_name)}: {head}", ""]
    lines += [f"**{NOTICE}**" if forecast.simulated else "**This is a plan: nothing was sent.**", ""]
    if forecast.plan.problems:
        count = len(forecast.plan.problems)
        what = "1 problem is" if count == 1 else f"{count:,} problems are"
        lines += [f"A run would not start before {what} corrected.", ""]
    rows = [(name, f"{found:,}", f"{lots:,}", _MEANINGS[name]) for name, (found, lots) in counts.items()]
    lines += table(("A run would", "Documents", "Rows", "These"), rows, (1, 2))
    if forecast.amounts:
        lines += ["### Control totals", "", *_amounts(forecast.amounts)]
    lines += [*_examples(forecast.to_send), ""]
    found = [one for one in troubles(told) if one.status is not Status.NOT_SENT]
    lines += needs_attention(found, told.outcomes)
    facts = [text(record.endpoint), f"workbook {text(record.workbook_name)}, sheet {text(record.sheet)}"]
    return "\n".join([*lines, " · ".join(facts), ""])


def _amounts(found: Sequence[Amount]) -> list[str]:
    rows = []
    for one in found:
        currency = "" if one.currency is None else one.currency or OWN
        sums = (one.sheet, one.by_action["send"], one.bodies, one.expect)
        verdict = "" if one.expect is None else ("agrees" if one.sheet == one.expect else "**differs**")
        rows.append((text(f"{one.name} {currency}".strip()), *(_number(number) for number in sums), verdict))
    return table(("Total", "Sheet", "To send", "In the bodies", "Expected", ""), rows, (1, 2, 3, 4))


def _number(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,f}"


def _examples(found: Sequence[Document]) -> Iterator[str]:
    """Name the first and the last document that would be sent."""
    named = [f"{text(str(document.key))} ({row_list(document.rows)})" for document in (*found[:1], *found[-1:])]
    if len(found) == 1:
        yield f"To send: {named[0]}."
    elif found:
        yield f"First to send: {named[0]}; last: {named[1]}."
