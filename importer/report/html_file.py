"""Write results.html: one page that holds everything it needs, and in which no cell is ever more than text.

The page is made of `page/page.html.j2`, `page.css` and `page.js`. Style and script are let in by their hashes alone and
nothing can be loaded; the documents are data that the script shows as text. Without scripts the page shows the same,
but the first documents only.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from importer.findings import row_list
from importer.grouping import spans
from importer.model import Outcome, RunRecord, Status, Total
from importer.report.contents import Contents
from importer.report.counts import Count, count
from importer.report.troubles import Trouble, troubles, warnings
from importer.report.words import (
    PRESSING,
    document_message,
    ending,
    equation,
    facts,
    headline,
    is_check,
    label,
    legible,
    meaning,
    moment,
    reach,
)

_PAGE: Final = Path(__file__).with_name("page")
#: As many documents are shown at once; without scripts no more.
SHOWN: Final = 100
#: As many causes are shown; the table has all documents, whatever their cause.
_MAX_TROUBLES: Final = 100
#: As many subjects of one cause are listed.
_NAMES: Final = 12
#: A longer message is folded.
_FOLD: Final = 320
_BAR: Final = 1000
#: The least width of a status in the bar, so that one document among thousands is seen.
_LEAST: Final = 14
#: The lines around the fills, as dark as is needed to be seen on white.
INKS: Final = {
    Status.ACCEPTED: "#548235",
    Status.ALREADY_ACCEPTED: "#6b8f55",
    Status.CHANGED: "#a67c00",
    Status.INVALID: "#c55a11",
    Status.FILTERED: "#7f7f7f",
    Status.REJECTED: "#a83c0c",
    Status.NOT_SENT: "#2f75b5",
    Status.UNKNOWN: "#8f5f00",
}


def write(target: Path, told: Contents) -> None:
    """Write a run's results as a page for people."""
    target.write_bytes(page(told).encode("utf-8"))


def page(told: Contents) -> str:
    """Return the page. The same run makes the same page, whenever it is written."""
    from markupsafe import Markup

    found = troubles(told)
    style, script = style_of_page(), (_PAGE / "page.js").read_text(encoding="utf-8")
    rendered: str = template("page.html.j2").render(
        policy=policy(style, script),
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704 - our own files
        data=Markup(_data(told.record, told.outcomes, found)),  # noqa: S704 - made harmless by _inert
        **_content(told.record, told.outcomes, found),
    )
    return rendered


@cache
def template(name: str) -> Any:
    """Return one of the templates of pages; whatever it is given is shown as text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _content(record: RunRecord, ordered: Sequence[Outcome], found: Sequence[Trouble]) -> dict[str, Any]:
    every = count(ordered)
    counts = {status: counted for status, counted in every.items() if counted.documents}
    return {
        "record": record,
        "headline": headline(record, every),
        "reach": reach(record),
        "kind": "simulated" if record.simulated else ("check" if is_check(record) else "real"),
        "ending": ending(record, count(ordered)),
        "exit_code": None if is_check(record) else record.exit_code,
        "facts": _facts(record),
        "counts": counts,
        "bar": list(bar(counts)),
        "spoken": ", ".join(f"{counted.documents:,} {label(status)}" for status, counted in counts.items()),
        "equation": equation(record.rows_read, [counted.rows for counted in counts.values()]),
        "totals": [_total(total) for total in record.totals],
        "troubles": [_shown_trouble(one) for one in found[:_MAX_TROUBLES]],
        "more_troubles": max(len(found) - _MAX_TROUBLES, 0),
        "warnings": [_shown_trouble(one) for one in warnings(record)[:_MAX_TROUBLES]],
        "columns": _columns(ordered),
        "documents": [_shown_document(outcome) for outcome in ordered[:SHOWN]],
        "total": len(ordered),
        "label": label,
        "meanings": {status: meaning(record, status) for status in counts},
        "pressing": [status for status in _pressing(record) if status in counts],
    }


def _pressing(record: RunRecord) -> list[Status]:
    return [status for status in PRESSING if not (is_check(record) and status is Status.NOT_SENT)]


def style_of_page() -> str:
    """Return the page's style, the statuses in the colours that results.xlsx has."""
    from importer.report.looks import FILLS

    rules = [f".s-{status.value} {{ --fill: #{FILLS[status]}; --ink: {INKS[status]}; }}\n" for status in Status]
    return (_PAGE / "page.css").read_text(encoding="utf-8") + "".join(rules)


def policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy: its own style and script by their hashes, and nothing else."""

    def source(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _data(record: RunRecord, ordered: Sequence[Outcome], found: Sequence[Trouble]) -> str:
    """Write what the script shows: `documents` holds lists, their places named in page.js."""
    causes: dict[int, list[int]] = {}
    for place, one in enumerate(found[:_MAX_TROUBLES]):
        for position in one.positions:
            causes.setdefault(position, []).append(place)
    places = {status: place for place, status in enumerate(Status)}
    documents = ",".join(
        _document(outcome, places[outcome.status], causes.get(outcome.position, [])) for outcome in ordered
    )
    pressing = _pressing(record)
    statuses = [{"name": status.value, "label": label(status), "pressing": status in pressing} for status in Status]
    head = json.dumps({"shown": SHOWN, "fold": _FOLD, "statuses": statuses}, ensure_ascii=False, separators=(",", ":"))
    return _inert(f'{head[:-1]},"documents":[{documents}]}}')


def _document(outcome: Outcome, place: int, causes: list[int]) -> str:
    """Write a document as a list of JSON."""
    text = json.encoder.encode_basestring
    rows = ",".join(f"{first},{last}" for first, last in spans(outcome.rows))
    key = "null" if outcome.key is None else text(legible(outcome.key))
    number, message = text(legible(outcome.number or "")), text(legible(document_message(outcome)))
    return (
        f"[[{rows}],{key},{place},{number},{message},{text(_sent(outcome))},{json.dumps(causes) if causes else '[]'}]"
    )


def _inert(text: str) -> str:
    """Write JSON so that nothing in it can end or begin an element of the page."""
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _columns(ordered: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Return the columns of the table; one that would be empty is left out."""
    columns = [("rows", "Rows"), ("key", "Key"), ("status", "Status")]
    if any(outcome.number for outcome in ordered):
        columns.append(("number", "Visma number"))
    columns.append(("message", "Message"))
    if any(outcome.sent_at for outcome in ordered):
        columns.append(("sent", "Sent (UTC)"))
    return columns


def _shown_document(outcome: Outcome) -> dict[str, Any]:
    message = legible(document_message(outcome))
    return {
        "rows": row_list(outcome.rows).partition(" ")[2],
        "key": outcome.key,
        "status": outcome.status,
        "number": outcome.number or "",
        "message": message,
        "head": _head(message),
        "sent": _sent(outcome),
    }


def _head(message: str) -> str:
    """Return what is seen of a long message before it is unfolded; empty where it is short."""
    if len(message) <= _FOLD:
        return ""
    return message[: _FOLD // 2].split("\n", maxsplit=1)[0].rstrip() + " \u2026"


def _sent(outcome: Outcome) -> str:
    return legible(moment(outcome.sent_at).removesuffix(" UTC")) if outcome.sent_at else ""


def _shown_trouble(one: Trouble) -> dict[str, Any]:
    names = [name for name in one.subjects if name][:_NAMES]
    left = len(one.subjects) - len(names)
    return {
        "status": one.status,
        "documents": len(one.positions),
        "title": one.title,
        "text": one.text,
        "names": names,
        "more": left if names else 0,
        "rows": row_list(one.rows).capitalize() if one.rows else "",
    }


def bar(counts: dict[Status, Count]) -> Iterator[tuple[Status, int, float, float]]:
    """Lay the statuses beside each other; return each with its count, its left edge and its width."""
    total = sum(counted.documents for counted in counts.values())
    spare = _BAR - _LEAST * len(counts)
    left = 0.0
    for status, counted in counts.items():
        width = _LEAST + spare * counted.documents / total
        yield status, counted.documents, round(left, 2), round(width, 2)
        left += width


def _total(total: Total) -> dict[str, str]:
    verdict = "" if total.expect is None else ("agrees" if total.agrees else "differs")
    return {
        "name": total.name,
        "column": total.column,
        "sum": "cannot be added up" if total.sum is None else _amount(total.sum),
        "expect": "not stated" if total.expect is None else _amount(total.expect),
        "verdict": verdict,
        "sign": {"agrees": "\u2713 agrees", "differs": "\u2717 differs"}.get(verdict, ""),
    }


def _amount(amount: Decimal) -> str:
    return f"{amount:,f}".replace("-", "\u2212")


def _facts(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return what the run was: label, text, and the time that the text stands for, where it is one."""
    times = {"Started": record.started_at, "Finished": record.finished_at or ""}
    return [(name, text, times.get(name, "")) for name, text in facts(record).items()]
