"""Turn what an upsert was given into creates and changes, by what the journal and the API know. Never writes.

What is created is from then on an attempt of the endpoint that creates, known by its key; what is changed is one of the
endpoint that changes, known by its number: so mappings of those endpoints and upserts guard each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from importer.api.session import Session
from importer.compare import COMMANDS, without_unchanged
from importer.decide import Clock, Known, gone, held_by_doubt, held_by_twin
from importer.errors import TargetError
from importer.existing import Index, look_up
from importer.expect import Expectation, differences, expectation
from importer.fields import fields_of
from importer.findings import row_list
from importer.jsontext import write_json
from importer.lookup import Found, read_one, unread
from importer.mapping import Mapping
from importer.model import Document, Past, Problem, Status
from importer.replaced import Item, parsed, sent_values, with_before
from importer.search import Unreadable, by_number

#: What found a record, beside the fields of the row.
_JOURNAL: Final = "an earlier run"


def find_existing(
    session: Session, mapping: Mapping, sheet: str, documents: Sequence[Document], known: Known, clock: Clock
) -> tuple[Document, ...]:
    """Return the documents as creates and changes; those that need nothing, or must not be sent, have a status now.

    Raises: TargetError when the API cannot be searched, so that nothing may be written.
    """
    sought = [
        _Sought(position, document, Expectation.load(document.expect), known.accepted.get(document.key or ""))
        for position, document in enumerate(documents)
        if document.status is None
    ]
    index = _index(session, mapping, sought)
    search = _Search(session, mapping, sheet, known, clock, index)
    found = list(documents)
    for position, document in search.decided(sought):
        found[position] = document
    for position, document in zip(search.read, search.updates(), strict=True):
        found[position] = document
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Sought:
    """Hold one document and all that it may be found by."""

    position: int
    document: Document
    expected: Expectation
    #: the create that an earlier run had accepted under its key
    past: Past | None

    def numbers(self, index: Index) -> dict[str, list[str]]:
        """Return the number of each record that it finds, with what found it."""
        found = index.numbers(self.expected)
        if self.past and self.past.number and ("number", self.past.number, "") in index.found:
            found.setdefault(self.past.number, []).append(_JOURNAL)
        return found


def _index(session: Session, mapping: Mapping, sought: Sequence[_Sought]) -> Index:
    """Read what is sought; what an earlier run created is looked for by its number, too, for a list may lag."""
    endpoint = mapping.endpoint.creates
    own = [Expectation(number=each.past.number) for each in sought if each.past and each.past.number]
    index = look_up(session, endpoint, [*(each.expected for each in sought), *own])
    for number in [each.number for each in own if ("number", each.number or "", "") not in index.found]:
        try:
            read = by_number(session, endpoint, number or "")
        except Unreadable as error:
            raise TargetError(f"What is in Visma already could not be looked up, so nothing is sent. {error}") from None
        if read is not None:
            index.add(read)
    return index


class _Search:
    """Decide on documents one by one; changes are kept until all are known."""

    def __init__(
        self, session: Session, mapping: Mapping, sheet: str, known: Known, clock: Clock, index: Index
    ) -> None:
        self.session = session
        self.mapping = mapping
        self.endpoint = mapping.endpoint
        self.sheet = sheet
        self.known = known
        self.changes = known.updates or Known()
        self.clock = clock
        self.index = index
        #: by position, each change that goes out with what the API holds
        self.read: dict[int, tuple[Document, Item]] = {}

    def decided(self, sought: Sequence[_Sought]) -> Iterator[tuple[int, Document]]:
        """Yield what becomes of each document, with its position; changes that go out are kept in `read`."""
        numbers = {each.position: each.numbers(self.index) for each in sought}
        sharing: dict[str, list[_Sought]] = {}
        for each in sought:
            for number in numbers[each.position]:
                sharing.setdefault(number, []).append(each)
        for each in sought:
            found = numbers[each.position]
            if len(found) > 1:
                yield each.position, self._two(each, found)
            elif not found:
                yield each.position, self._missing(each)
            else:
                ((number, by),) = found.items()
                others = [other for other in sharing[number] if other is not each]
                yield each.position, self._shared(each, number, by, others) if others else self._there(each, number, by)

    def updates(self) -> list[Document]:
        """Return the changes that go out, in the order of their positions, with what each replaces."""
        return with_before(self.endpoint.updates, list(self.read.values()))

    def _two(self, sought: _Sought, found: dict[str, list[str]]) -> Document:
        listed = " and ".join(f"{number} (found by {', '.join(by)})" for number, by in found.items())
        message = (
            f"The row finds {len(found)} {self.endpoint.resource}s in Visma: {listed}. Nothing was sent. Correct the "
            f"row, or have one {self.endpoint.resource} left in Visma."
        )
        names = [name for by in found.values() for name in by]
        # at the field that finds the most
        return self._invalid(sought, "found_twice", message, sorted(names, key=names.count, reverse=True))

    def _shared(self, sought: _Sought, number: str, by: list[str], others: Sequence[_Sought]) -> Document:
        rows = sorted({row for each in (sought, *others) for row in each.document.rows})
        keys = ", ".join(repr(each.document.key) for each in others)
        message = (
            f"{row_list(rows).capitalize()} are one {self.endpoint.resource} in Visma: {number}, which the document "
            f"{keys} finds too. Nothing was sent. Leave one of them."
        )
        return self._invalid(sought, "found_by_two", message, by)

    def _missing(self, sought: _Sought) -> Document:
        document, resource = sought.document, self.endpoint.resource
        if sought.past is not None:
            return gone(document, sought.past)
        if self.mapping.on_missing == "refuse":
            message = (
                f"No {resource} in Visma is it, and the mapping refuses to create one. Nothing was sent. Correct what "
                "it is found by, or say on_missing: create."
            )
            return replace(document, status=Status.REJECTED, message=message, number=None)
        body = parsed(document.body)
        lacking = [name for name in self.endpoint.needed if name not in body]
        if lacking:
            message = (
                f"No {resource} in Visma is it, so it is to be created, for which it needs {', '.join(lacking)}. "
                "Nothing was sent. Fill that in, or correct what it is found by."
            )
            return self._invalid(sought, "needed_to_create", message, lacking)
        return held_by_twin(replace(document, message=f"New {resource}."), self.known)

    def _there(self, sought: _Sought, number: str, by: list[str]) -> Document:
        document, way = sought.document, self.mapping.on_existing
        exists = f"It exists as {number} (found by {', '.join(by)})"
        (read,) = self.index.found["number", number, ""][:1]
        if self._is_ours(sought, number, read):
            message = f"It is in Visma as {number}, from an attempt that had ended in doubt; nothing was sent."
            return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=number, adopted=True)
        if way == "skip":
            message = f"{exists}; it is left as it is, as the mapping says."
            return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=number)
        if way == "refuse":
            message = (
                f"{exists}, and the mapping refuses what exists. Nothing was sent. Leave the row out, or say "
                "on_existing: update or skip."
            )
            return replace(document, status=Status.REJECTED, message=message, number=number)
        return self._change(sought, number)

    def _is_ours(self, sought: _Sought, number: str, read: Item) -> bool:
        """Tell whether a record is what a create of ours left that was once in doubt, with the same content."""
        once = self.known.once_doubtful.get(sought.document.identity)
        if sought.past is not None or once is None or once.fingerprint != sought.document.fingerprint:
            return False
        taken = any(past.number == number for past in self.known.accepted.values())
        return not taken and not differences(self.endpoint.creates, sought.expected, read)

    def _change(self, sought: _Sought, number: str) -> Document:
        """Return the change of a record, or why there is none."""
        found = read_one(self.session, self.endpoint.updates, number)
        document = replace(
            sought.document,
            endpoint=self.endpoint.updates.name,
            path_number=number,
            identity=number,
            repeatable=True,
            number=None,
            customer=number,
            expect=expectation(self.endpoint.updates, parsed(sought.document.body)).dump(),
        )
        if not isinstance(found, Found):
            return unread(document, found or f"It is in Visma's list as {number}, but it cannot be read.")
        held = held_by_doubt(document, self.changes, self.clock)
        if held.waits:
            return replace(held, number=number)
        rest = self._difference(sought, number, found.data)
        if not rest:
            message = f"It is in Visma as {number} with this content already; nothing was sent."
            doubt = self.changes.doubtful.get(number)
            adopted = doubt is not None and doubt.fingerprint == document.fingerprint
            return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=number, adopted=adopted)
        changed = replace(document, body=write_json(rest).encode(), etag=found.etag)
        names = ", ".join(name for name in sent_values(self.endpoint.updates, changed.body) if name not in COMMANDS)
        other = sought.expected.number
        kept = f" It keeps its number; {other} is not taken over." if other not in {None, number} else ""
        changed = replace(changed, message=f"Change of {number}: {names}.{kept}")
        self.read[sought.position] = (changed, found.data)
        return changed

    def _difference(self, sought: _Sought, number: str, read: Item) -> Item:
        """Return the fields to send: those that differ, and what says how to change them."""
        fields, whole = fields_of(self.endpoint.updates.name), parsed(sought.document.body)
        own = {name: value for name, value in whole.items() if name not in {self.endpoint.number_field, *COMMANDS}}
        rest = without_unchanged(fields, own, read)
        last = self.changes.accepted.get(number) or sought.past
        if last is not None and last.fingerprint == sought.document.fingerprint:
            # what the API does not read out, or not so that it can be compared, was accepted last with this content
            unseen = {name for name in rest if name in self.endpoint.unread or fields[name].many}
            rest = {} if unseen == set(rest) else rest
        how = {name: whole[name] for name in ("overrideWithClassValues",) if name in whole}
        return {**rest, **how} if rest else {}

    def _invalid(self, sought: _Sought, code: str, message: str, names: Sequence[str]) -> Document:
        """Return a document with a problem, at the cell of the first of some fields that a column feeds."""
        rules = {rule.name: rule for rule in self.mapping.fields}
        rule = next((rules[name] for name in names if name in rules and rules[name].column), None)
        values = {"number": sought.expected.number, **sought.expected.identifiers}
        problem = Problem(
            sheet=self.sheet,
            row=sought.document.rows[0],
            column=rule.column if rule else None,
            value=values.get(rule.name) if rule else None,
            code=code,
            message=message,
        )
        return replace(sought.document, status=Status.INVALID, problems=(problem,), number=None)
