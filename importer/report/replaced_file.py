"""Write what the updates of a run replaced: a workbook of the old values, and the mapping that puts them back.

What cannot be put back by a workbook is told in both files: a value that is no text and was empty, a list, what the API
does not read out.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from importer.compare import COMMANDS, in_a_cell
from importer.endpoints import table
from importer.fields import Field, Kind, fields_of
from importer.model import RunRecord
from importer.replaced import Before
from importer.report.cells import put_text, save, writable
from importer.report.words import typed

WORKBOOK: Final = "replaced.xlsx"
MAPPING: Final = "replaced.mapping.yaml"
#: Digits that Excel keeps of a number.
_EXCEL_DIGITS: Final = 15
#: As many values that cannot be put back are named in the mapping; the workbook names all.
_NAMED: Final = 20
_SHEET: Final = "Before"
_LEFT: Final = "Not put back"
_WIDTH: Final = 24
#: Stands for a value that is there.
_FULL: Final = "full"


@dataclass(frozen=True, slots=True)
class Loss:
    """Say which value cannot be put back, and why."""

    number: str
    field: str
    why: str


@dataclass(frozen=True)
class Replaced:
    """Hold what the updates of a run replaced, by the number of what was changed, in the order of the updates."""

    endpoint: str
    before: Dictionary[str, Before]

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Return every field that an update of the run sent, by its name as people write it, in the API's order."""
        sent = {name for before in self.before.values() for name in before.replaced}
        every = _flat(fields_of(self.endpoint))
        return {name: field for name, field in every if name in sent and name not in COMMANDS}

    @cached_property
    def _torn(self) -> frozenset[str]:
        return frozenset(
            name
            for before in self.before.values()
            for name, value in {**before.replaced, **before.kept}.items()
            if _torn(value)
        )

    @cached_property
    def losses(self) -> list[Loss]:
        """Return every value that cannot be put back."""
        return [
            Loss(number, name, why)
            for number, before in self.before.items()
            for name in self.fields
            if name in before.replaced and (why := self._loss(name, before.replaced[name]))
        ]

    @cached_property
    def columns(self) -> dict[str, Field]:
        """Return the fields of which a value can be put back."""
        lost = {(loss.number, loss.field) for loss in self.losses}
        whole = {name for number, one in self.before.items() for name in one.replaced if (number, name) not in lost}
        return {name: field for name, field in self.fields.items() if name in whole}

    @cached_property
    def rows(self) -> dict[str, Before]:
        """Return what has a value that can be put back, by number."""
        lost = {(loss.number, loss.field) for loss in self.losses}
        return {
            number: before
            for number, before in self.before.items()
            if any(name in self.columns and (number, name) not in lost for name in before.replaced)
        }

    def clears(self, name: str) -> bool:
        """Tell whether a text field was empty somewhere, so that a blank cell has to empty it."""
        return (
            _clearable(self.fields[name])
            and name not in self._torn
            and any(before.replaced.get(name, _FULL) in {None, ""} for before in self.before.values())
        )

    def _loss(self, name: str, value: Any) -> str:
        """Say why a value cannot be put back; empty where it can."""
        field = self.fields[name]
        if name.partition(".")[0] in table()[self.endpoint].unread:
            return "Visma does not read it out, so what it was is not known"
        if field.many or isinstance(value, list | dict):
            return "it is a list"
        if value is None or value == "":
            if not _clearable(field):
                return "it was empty, and only a text can be emptied again"
            # a blank cell would empty, too, what cannot be written into one
            return "it was empty, and another text of its column cannot be put back" if name in self._torn else ""
        if isinstance(value, Decimal | int) and len(Decimal(value).as_tuple().digits) > _EXCEL_DIGITS:
            return "it has more digits than a cell can hold"
        if _torn(value):
            return "it holds characters or spaces that a cell does not give back"
        return ""


def replaced_by(carried_out: Sequence[tuple[str, str, str | None]]) -> Replaced | None:
    """Return what attempts replaced, given as endpoint, number and what the journal keeps; None for nothing."""
    kept = [(endpoint, number, before) for endpoint, number, before in carried_out if before]
    if not kept:
        return None
    found: dict[str, Before] = {}
    for _, number, before in kept:
        found.setdefault(number, Before.load(before))
    return Replaced(kept[0][0], found)


def _clearable(field: Field) -> bool:
    return field.kind is Kind.TEXT and not field.enum and not field.pattern


def _flat(members: Dictionary[str, Field], place: tuple[str, ...] = ()) -> Iterator[tuple[str, Field]]:
    """Yield each field by its name as people write it, lists as a whole."""
    for name, field in members.items():
        if field.many or field.members is None:
            yield ".".join((*place, name)), field
        else:
            yield from _flat(field.members, (*place, name))


def _torn(value: Any) -> bool:
    """Tell whether a cell would not give a text back as it is."""
    return isinstance(value, str) and (writable(value) != value or in_a_cell(value) != value)


def write_workbook(file: Path, replaced: Replaced) -> None:
    """Write the old values: a row for each that was changed, and what cannot be put back."""
    book: Any = Workbook(write_only=True)
    if replaced.rows:
        _before(book, replaced)
    if replaced.losses:
        left = [(loss.number, loss.field, loss.why) for loss in replaced.losses]
        _fill(book, _LEFT, ("Number", "Field", "Why it is not put back"), left)
    save(book, file)


def _before(book: Any, replaced: Replaced) -> None:
    lost = {(loss.number, loss.field) for loss in replaced.losses}
    rows = []
    for number, before in replaced.rows.items():
        held = {**before.kept, **before.replaced}
        values = (
            None if (number, name) in lost or _torn(held.get(name)) else held.get(name) for name in replaced.columns
        )
        rows.append((number, *values))
    _fill(book, _SHEET, ("Number", *replaced.columns), rows)


def _fill(book: Any, title: str, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for number in range(1, len(headers) + 1):
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTH
    sheet.append([_cell(sheet, name, bold=True) for name in headers])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: Any, value: Any, *, bold: bool = False) -> Any:
    cell = WriteOnlyCell(sheet)
    if isinstance(value, str):
        # past what looks for a number or a formula in it
        cell.number_format = "@"
        put_text(cell, value)
    elif value is not None:
        cell.value = value
    if bold:
        cell.font = Font(bold=True)
    return cell


def write_mapping(file: Path, replaced: Replaced, record: RunRecord) -> None:
    """Write the mapping that puts the old values back."""
    file.write_text("\n".join([*_head(replaced, record), *_fields(replaced)]) + "\n", encoding="utf-8")


def command(record: RunRecord, mapping: str) -> str:
    """Return the command that carries a mapping out where a run went."""
    return f"visma-import run {typed(mapping)}" + ("" if record.simulated else f" --target {typed(record.target)}")


def _head(replaced: Replaced, record: RunRecord) -> Iterator[str]:
    moment = record.started_at[:16].replace("T", " ")
    yield f"# Written by visma-import. Run {record.run_id} of {moment} UTC changed what the sheet {_SHEET} of"
    yield f"# {WORKBOOK} lists; it holds the values from before. To put them back:"
    yield f"#   {command(record, MAPPING)}"
    yield "# Only what differs is sent, so that it can be run again. A blank cell empties a field with blank: clear;"
    yield "# it leaves the others as they are. What somebody changed since in the same fields is put back, too."
    if replaced.losses:
        yield f"# Not put back are {len(replaced.losses)} values (all of them: the sheet {_LEFT!r}):"
        for loss in islice(replaced.losses, _NAMED):
            yield f"#   {loss.number!r} {loss.field}: {loss.why}"
    yield "version: 1"
    yield f"name: put-back-{record.run_id}"
    yield f"endpoint: {replaced.endpoint}"
    yield "compare: true"
    yield f"workbook: {{file: {WORKBOOK}, sheet: {_SHEET}}}"
    yield "key: Number"


def _fields(replaced: Replaced) -> Iterator[str]:
    yield "fields:"
    groups: tuple[str, ...] = ()
    for name in replaced.columns:
        *place, last = name.split(".")
        for depth, group in enumerate(place):
            if groups[: depth + 1] != tuple(place[: depth + 1]):
                yield f"{'  ' * (depth + 1)}{group}:"
        groups = tuple(place)
        blank = "clear" if replaced.clears(name) else "omit"
        yield f"{'  ' * (len(place) + 1)}{last}: {{column: {name}, blank: {blank}}}"
