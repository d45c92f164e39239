"""Say what a run would do: with each document, how much by action and currency, how long. Pure.

Amounts are added up from the sheet, and once more from the rendered bodies: two sums of the same thing, taken at both
ends of the way, show a value that was changed on it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from importer.convert import Converter
from importer.expect import Expectation
from importer.fields import Kind
from importer.grouping import named
from importer.mapping import Mapping, Rule, TotalSpec
from importer.model import Document, Problem, Status, Total
from importer.plan import Plan
from importer.yamlfile import Step

#: What a run would do with a document, in the order in which people ask.
ACTIONS: Final = ("send", "skip", "blocked")
#: The total that needs no declaration.
NET: Final = "Quantity x unit price"
#: What stands for a currency that documents do not name, so that Visma takes the one of the customer.
OWN: Final = "in the customer's currency"
#: What stands for the currency of documents without a body.
NOT_KNOWN: Final = "not known"
_NUMBERS: Final = frozenset({Kind.DECIMAL, Kind.INTEGER})
_BLOCKED: Final = frozenset({Status.INVALID, Status.UNKNOWN, Status.CHANGED, Status.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Hold one control total of a plan, or its part in one currency."""

    name: str
    #: the column's header; None for what is added up from the bodies alone
    column: str | None = None
    #: None for all currencies together; empty where the documents say none, so that Visma takes the customer's;
    #: "not known" for those that have no body
    currency: str | None = None
    #: over all rows that no rule filters; None where a cell cannot be read, or where the bodies alone tell it
    sheet: Decimal | None = None
    #: over the rows of the documents of each action; None where a cell cannot be read
    by_action: Dictionary[str, Decimal | None]
    #: over the bodies of the documents to send; None where they do not hold it
    bodies: Decimal | None = None
    expect: Decimal | None = None
    #: documents to send of which the amount is not known before Visma has worked it out
    unknown: int = 0

    @property
    def lack(self) -> str:
        """Say what the amount lacks; empty where it is all there."""
        return f"{self.unknown:,} whose amount Visma works out" if self.unknown else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Hold what a run of a plan would do at a target."""

    plan: Plan
    target: str
    #: True where the target is the simulated API
    simulated: bool
    #: decided by what the journal and the API know
    documents: tuple[Document, ...]
    #: by position of the document: how it differs from its last accepted version
    changes: Dictionary[int, str]
    amounts: tuple[Amount, ...]
    seconds: float
    #: what the duration was reckoned from
    basis: str

    @property
    def to_send(self) -> tuple[Document, ...]:
        """Return the documents that would be sent, in the order of the sheet."""
        return tuple(document for document in self.documents if document.status is None)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Count documents and rows by action."""
        found = dict.fromkeys(ACTIONS, (0, 0))
        for document in self.documents:
            documents, rows = found[action(document)]
            found[action(document)] = documents + 1, rows + len(document.rows)
        return found

    def verb(self, document: Document) -> str:
        """Name the action on a document; of an upsert that sends it, whether it creates or updates."""
        endpoint, name = self.plan.mapping.endpoint, action(document)
        if name != "send" or endpoint.kind != "upsert":
            return name
        return endpoint.updates.action if document.endpoint == endpoint.updates.name else endpoint.creates.action

    def verbs(self) -> dict[str, int]:
        """Count the documents to send by what is done, where that is not the same for all."""
        endpoint = self.plan.mapping.endpoint
        found = dict.fromkeys((endpoint.creates.action, endpoint.updates.action), 0)
        for document in self.to_send:
            if endpoint.kind == "upsert":
                found[self.verb(document)] += 1
        return found if endpoint.kind == "upsert" else {}

    def reason(self, position: int) -> str:
        """Say why a document is skipped or blocked, and how it differs from its last accepted version."""
        document = self.documents[position]
        told = [document.message, *(_placed(document, problem) for problem in document.problems)]
        return "\n".join(dict.fromkeys(filter(None, [*told, self.changes.get(position, "")])))


def _placed(document: Document, problem: Problem) -> str:
    """Write a problem with its column before it, and its row where the document has several."""
    row = f"row {problem.row}" if problem.row is not None and len(document.rows) > 1 else ""
    place = ", ".join(filter(None, [row, problem.column]))
    return f"{place}: {problem.message}" if place else problem.message


def action(document: Document) -> str:
    """Tell what a run would do with a document."""
    if document.status is None:
        return "send"
    return "blocked" if document.status in _BLOCKED or document.waits else "skip"


def held(plan: Plan, documents: Iterable[Document]) -> tuple[Document, ...]:
    """Return decided documents; what is wrong with the file as a whole keeps back each that would be sent."""
    if not plan.held:
        return tuple(documents)
    names = dict.fromkeys(named(one.code, one.column) for one in plan.held)
    message = f"Held back by what is wrong with the file as a whole: {'; '.join(names)}."
    return tuple(
        one if one.status is not None else replace(one, status=Status.INVALID, message=message) for one in documents
    )


def control_totals(plan: Plan, documents: Sequence[Document]) -> list[Amount]:
    """Return the totals of a plan whose documents were decided: the declared ones, then what the bodies tell.

    A total that holds several currencies is followed by its part in each.
    """
    # what --limit and --only leave out is in the sheet's totals all the same
    counted = [one for one in documents if one.status is not Status.FILTERED or one.rows[0] in plan.unselected]
    currencies: dict[str, list[Document]] = {}
    for document in counted:
        known = Expectation.load(document.expect).currency or ""
        currencies.setdefault(known if document.body else NOT_KNOWN, []).append(document)
    found: list[Amount] = []
    sums = _Sums(plan)
    for spec, total in zip(plan.mapping.totals, plan.totals, strict=False):
        parts = [sums.part(spec, name, currencies[name]) for name in sorted(currencies)]
        found += [_whole(total, parts), *(parts if len(parts) > 1 else ())]
    return [*found, *net_amounts(plan.mapping, counted)]


class _Sums:
    """Add up a total over documents: what the sheet says of them, and what their bodies hold."""

    def __init__(self, plan: Plan) -> None:
        self._mapping = plan.mapping
        self._rows = {row.number: row for row in plan.sheet.rows}
        self._converter = Converter(plan.mapping, plan.sheet, {})

    def part(self, spec: TotalSpec, currency: str, members: Sequence[Document]) -> Amount:
        """Return the part of a total that the documents of one currency have."""
        by_action = {
            wanted: _added(
                self._number(row, spec.column) for one in members if action(one) == wanted for row in one.rows
            )
            for wanted in ACTIONS
        }
        rule = _feeding(self._mapping, spec.column)
        bodies = _in_bodies(self._mapping, *rule, members) if rule else None
        sheet = _added(by_action.values())
        return Amount(
            name=spec.name, column=spec.column, currency=currency, sheet=sheet, by_action=by_action, bodies=bodies
        )

    def _number(self, row: int, column: str) -> Decimal | None:
        number = self._converter.number(self._rows[row], column)
        return number if isinstance(number, Decimal) else None


def _whole(total: Total, parts: Sequence[Amount]) -> Amount:
    """Return a total over all currencies."""
    held = [part.bodies for part in parts if part.bodies is not None]
    return Amount(
        name=total.name,
        column=total.column,
        sheet=total.sum,
        by_action={wanted: _added(part.by_action[wanted] for part in parts) for wanted in ACTIONS},
        bodies=_added(held) if held else None,
        expect=total.expect,
    )


def _added(numbers: Iterable[Decimal | None]) -> Decimal | None:
    """Add up numbers; None where one of them is not known."""
    total = Decimal(0)
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _feeding(mapping: Mapping, column: str) -> tuple[Rule, bool] | None:
    """Return the rule that takes its number from a column, and whether it is one of lines."""
    for rules, of_line in ((mapping.lines, True), (mapping.fields, False)):
        for rule in rules:
            if rule.column == column and rule.options.kind in _NUMBERS and not rule.options.codes:
                return rule, of_line
    return None


def _in_bodies(mapping: Mapping, rule: Rule, of_line: bool, documents: Iterable[Document]) -> Decimal | None:
    """Add up a field over the bodies of the documents to send; None where none of them holds it."""
    total: Decimal | None = None
    for document in documents:
        if action(document) != "send" or not document.body:
            continue
        body = parsed(document.body)
        parts = body.get(mapping.endpoint.lines or "", []) if of_line else [body]
        for one in parts:
            value = _at(one, rule.target)
            if isinstance(value, Decimal):
                total = value if total is None else total + value
    return total


def parsed(body: bytes) -> Any:
    """Return a body as data with exact numbers."""
    return json.loads(body, parse_float=Decimal, parse_int=Decimal)


def _at(node: Any, target: tuple[Step, ...]) -> Any:
    for step in target:
        if isinstance(node, dict) and set(node) == {"value"}:
            node = node["value"]
        if isinstance(node, dict) and step in node:
            node = node[step]
        else:
            return None
    return node["value"] if isinstance(node, dict) and set(node) == {"value"} else node


def net_amounts(mapping: Mapping, documents: Iterable[Document]) -> Iterator[Amount]:
    """Yield the net amounts that the bodies tell, by currency; nothing where documents have none."""
    if mapping.endpoint.kind != "create" or mapping.endpoint.lines is None:
        return
    sums: dict[str, dict[str, Decimal]] = {}
    unknown: dict[str, int] = {}
    for document in documents:
        if not document.body:
            continue
        expected, wanted = Expectation.load(document.expect), action(document)
        by_action = sums.setdefault(expected.currency or "", dict.fromkeys(ACTIONS, Decimal(0)))
        if expected.amount is not None:
            by_action[wanted] += Decimal(expected.amount)
        elif wanted == "send":
            unknown[expected.currency or ""] = unknown.get(expected.currency or "", 0) + 1
    for name, by_action in sorted(sums.items()):
        missing = unknown.get(name, 0)
        yield Amount(name=NET, currency=name, by_action=by_action, bodies=by_action["send"], unknown=missing)
