"""Print a plan for people: each document, the first and the last in full, counts, control totals, how long."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from importer.cli import listing, screen
from importer.cli.stream import printable
from importer.findings import row_list
from importer.forecast import ACTIONS, NET, NOT_KNOWN, OWN, Amount, Forecast, action, parsed
from importer.grouping import named
from importer.jsontext import plain
from importer.model import Document

#: As many documents are listed one by one; of more, some of each action.
_MAX_LISTED: Final = 60
_MAX_OF: Final = {"send": 10, "skip": 10, "blocked": 30}
_MAX_LINES: Final = 20
_COLOURS: Final = {"send": "green", "skip": "cyan", "blocked": "red"}
_MEANINGS: Final = {
    "send": "goes out",
    "skip": "accepted before, or left out by a rule",
    "blocked": "waits for a correction or a decision",
}
_NAME_WIDTH: Final = 28
_TOTAL_WIDTH: Final = 26


def show(forecast: Forecast, *, quiet: bool) -> None:
    """Print a plan."""
    out, plan = screen.console(), forecast.plan
    listing.findings(out, plan, quiet=quiet)
    if not quiet:
        _documents(out, forecast)
        _examples(out, forecast)
        _counts(out, forecast)
        amounts(out, forecast.amounts)
    verbs = ", ".join(f"{name} {number:,}" for name, number in forecast.verbs().items())
    more = {"send": f" ({verbs})"} if verbs else {}
    counted = ", ".join(f"{name} {number:,}{more.get(name, '')}" for name, (number, _) in forecast.counts().items())
    long = f" About {screen.duration(forecast.seconds)}." if forecast.to_send else ""
    out.print(f"To {forecast.target}: {counted}.{long}", markup=False)
    if forecast.basis and not quiet:
        out.print(forecast.basis, markup=False)
    screen.inserted(out, plan.mapping.endpoint, forecast.documents)
    if quiet:
        screen.totals(out, plan.totals)
    if plan.problems:
        good = len(forecast.to_send)
        hint = f"; --skip-invalid would send {screen.counted(good, 'good document')} all the same" if good else ""
        out.print(f"A run would not start: {screen.counted(len(plan.problems), 'problem')}{hint}.")
    out.print("Nothing was sent.")


def _documents(out: Console, forecast: Forecast) -> None:
    documents = forecast.documents
    if len(documents) <= _MAX_LISTED:
        for position, document in enumerate(documents):
            _document(out, document, forecast.verb(document), _reason(forecast, position))
        out.print()
        return
    for name in ACTIONS:
        members = [position for position, document in enumerate(documents) if action(document) == name]
        for position in members[: _MAX_OF[name]]:
            document = documents[position]
            _document(out, document, forecast.verb(document), _reason(forecast, position))
        if len(members) > _MAX_OF[name]:
            out.print(f"{name:8}... and {len(members) - _MAX_OF[name]:,} more: -o FILE.xlsx or --json lists them all")
    out.print()


def _reason(forecast: Forecast, position: int) -> str:
    """Say why a document does not go out; its problems stand above, so that their names are enough."""
    found = forecast.documents[position].problems
    names = dict.fromkeys(named(one.code, one.column) for one in found)
    return "; ".join(names) + "." if names else forecast.reason(position)


def _document(out: Console, document: Document, verb: str, reason: str) -> None:
    head = f"{document.key if document.key is not None else '(no key)'}  ({row_list(document.rows)})"
    out.print(f"[{_COLOURS[action(document)]}]{verb:8}[/]{escape(printable(head))}")
    if reason:
        screen.told(out, reason, 8)


def _examples(out: Console, forecast: Forecast) -> None:
    """Print the first and the last document that would be sent, as they would be sent."""
    found = forecast.to_send
    lines = forecast.plan.mapping.endpoint.lines
    for title, document in (("First", found[0]), ("Last", found[-1]))[: len(found)] if found else ():
        head = f"{title} document to send: {document.key}  ({row_list(document.rows)})"
        out.print(f"[bold]{escape(printable(head))}[/]")
        if not document.body:
            out.print("  (no body: the number in the path says it all)", markup=False)
        for line in _readable(parsed(document.body) if document.body else {}, lines):
            out.print(f"  {line}", markup=False)
        out.print()


def _readable(body: dict[str, Any], lines: str | None) -> Iterator[str]:
    """Yield a body as lines of name and value, without the wrapping that the API wants."""
    for name, node in body.items():
        if name != lines:
            yield from _pairs(name, node)
    for number, line in enumerate(body.get(lines or "", [])[:_MAX_LINES], start=1):
        yield f"{lines} {number}"
        for name, node in line.items():
            yield from (f"  {text}" for text in _pairs(name, node))
    if (left := len(body.get(lines or "", [])) - _MAX_LINES) > 0:
        yield f"... and {left} more of {lines}"


def _pairs(name: str, node: Any) -> Iterator[str]:
    if isinstance(node, dict) and set(node) == {"value"}:
        node = node["value"]
    if isinstance(node, dict):
        for inner, value in node.items():
            yield from _pairs(f"{name}.{inner}", value)
    elif isinstance(node, list):
        for number, value in enumerate(node, start=1):
            yield from _pairs(f"{name} {number}", value)
    else:
        yield f"{name:{_NAME_WIDTH}} {_written(node)}"


def _written(value: Any) -> str:
    """Write a value so that a text which looks like a number is told from one; line breaks are shown."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    return {True: "true", False: "false", None: "null"}[value]


def _counts(out: Console, forecast: Forecast) -> None:
    out.print(f"[bold]{'':8}{'documents':>10}{'rows':>9}[/]")
    for name, (documents, rows) in forecast.counts().items():
        out.print(f"[{_COLOURS[name]}]{name:8}[/]{documents:10,}{rows:9,}  {_MEANINGS[name]}")
        for verb, number in forecast.verbs().items() if name == "send" else ():
            out.print(f"  {verb:8}{number:8,}")
    out.print()


def amounts(out: Console, found: Sequence[Amount]) -> None:
    """Print control totals: from the sheet, of what would be sent, and from the bodies."""
    if not found:
        return
    out.print(f"[bold]{'Totals':{_TOTAL_WIDTH}}{'sheet':>16}{'to send':>16}{'in the bodies':>16}[/]")
    every = [number for one in found for number in (one.sheet, one.bodies, one.expect, *one.by_action.values())]
    decimals = screen.decimals_of(every)
    for amount in found:
        shown = (amount.sheet, amount.by_action["send"], amount.bodies)
        cells = "".join(f" {_number(number, decimals):>15}" for number in shown)
        name = printable(_name(amount))
        if len(name) >= _TOTAL_WIDTH:
            out.print(name, markup=False)
            name = ""
        out.print(f"{name:{_TOTAL_WIDTH}}{cells}".rstrip(), markup=False)
        held = [
            f"{name} {_number(amount.by_action[name], decimals)}"
            for name in ("skip", "blocked")
            if amount.by_action[name]
        ]
        if held:
            out.print(f"  of these {', '.join(held)}", markup=False)
        sums = {"sheet": amount.sheet, **amount.by_action}
        if unread := [name for name, number in sums.items() if number is None and amount.column]:
            out.print(f"  cannot be added up, a cell is no number: {', '.join(unread)}", markup=False)
        if amount.lack:
            out.print(f"  and {amount.lack}", markup=False)
        if amount.expect is not None:
            verdict = "agrees" if amount.sheet == amount.expect else "DIFFERS: nothing is sent"
            out.print(f"  expected {_number(amount.expect, decimals)}: {verdict}", markup=False)
    out.print()


def _name(amount: Amount) -> str:
    if amount.currency is None:
        return amount.name
    if amount.name == NET:
        return f"{NET} {amount.currency or OWN}"
    return "  " + {"": "customer's currency", NOT_KNOWN: "currency not known"}.get(amount.currency, amount.currency)


def _number(value: Decimal | None, decimals: int) -> str:
    return "-" if value is None else f"{value:,.{decimals}f}"
