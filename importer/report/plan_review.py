"""Write a plan in Markdown to be reviewed, as under a pull request: each step's summary, then its documents."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from importer.expect import Expectation
from importer.findings import row_list
from importer.forecast import Forecast, action
from importer.report.contents import Contents
from importer.report.markdown import table, text
from importer.report.plan_summary import summary

#: As many documents of a step are listed; the workbook of the plan lists all.
_LISTED: Final = 500


def review(name: str, steps: Sequence[tuple[str, Contents, Forecast]], files: Sequence[tuple[str, str]]) -> str:
    """Return the review of a plan; `steps` are named, `files` are what it was made from with their SHA-256."""
    lines = [f"# Plan: {text(name)}", ""]
    for number, (step, told, forecast) in enumerate(steps, start=1):
        if len(steps) > 1:
            lines += [f"# Step {number} of {len(steps)}: {text(step)}", ""]
        lines += [summary(told, forecast), *_documents(forecast)]
    lines += ["<details><summary>What it was made from</summary>", ""]
    lines += table(("File", "SHA-256"), [(text(file), digest) for file, digest in files])
    return "\n".join([*lines, "</details>", ""])


def _documents(forecast: Forecast) -> Iterator[str]:
    documents = forecast.documents
    yield f"<details><summary>{len(documents):,} documents</summary>\n"
    rows = [_row(forecast, position) for position in range(min(len(documents), _LISTED))]
    heads = ("Action", "Key", "Rows", "Customer", "Date", "Currency", "Net amount", "Why")
    yield from table(heads, rows, (6,))
    if len(documents) > _LISTED:
        yield f"and {len(documents) - _LISTED:,} more: the workbook of the plan (-o FILE.xlsx) lists them all.\n"
    yield "</details>\n"


def _row(forecast: Forecast, position: int) -> tuple[str, ...]:
    document = forecast.documents[position]
    known = Expectation.load(document.expect)
    amount = "" if known.amount is None else f"{Decimal(known.amount):,f}"
    rows = row_list(document.rows).partition(" ")[2]
    texts = (document.key, rows, document.customer or known.customer, known.day, known.currency)
    return (action(document), *(text(one or "") for one in texts), amount, text(forecast.reason(position)))
