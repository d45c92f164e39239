"""Convert the cells of a sheet by the rules that look at one cell each, and equal cells only once."""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from operator import is_, itemgetter
from typing import Any, Final

from importer.locales import Locale
from importer.mapping import Rule
from importer.model import ABSENT, Absent, CellValue, Fault, FieldValue, Row
from importer.values import convert
from importer.yamlfile import Step

#: Values of a body by their place in it, such as ("mainAddress", "city").
Flat = dict[tuple[Step, ...], FieldValue]

#: How many cells of a column are remembered.
_MOST: Final = 20_000
#: Stands for no cell.
_NEVER: Final = object()


def by_cell(rule: Rule) -> bool:
    """Tell whether a rule is a constant, or what it gives depends on one cell's value alone."""
    return (rule.constant is not None or rule.column is not None) and not (
        rule.template or rule.document or rule.options.displayed
    )


class _Column:
    """Remember what the cells of a column gave by one rule.

    Texts are known by what they say, other values by which object they are: 1.5 and 1.50 are equal and not the same.
    """

    __slots__ = ("_alive", "known", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.known: dict[object, FieldValue] = {}
        #: an object's id is its own as long as the object is there
        self._alive: list[CellValue] = []

    def value(self, cell: CellValue, locale: Locale | None) -> FieldValue | None:
        """Return what a cell gives by itself, and remember it; None where that is nothing, or a problem."""
        name = cell if type(cell) is str else id(cell)
        if name in self.known:
            return self.known[name]
        value = convert(cell, self.rule.options, locale, None)
        if isinstance(value, Fault | Absent):
            return None
        if len(self.known) >= _MOST:
            self.known.clear()
            self._alive.clear()
        self._alive.append(cell)
        self.known[name] = value
        return value


class Columns:
    """Convert rows by rules that look at one cell each."""

    def __init__(
        self,
        rules: Sequence[Rule],
        blanks: Sequence[FieldValue | None],
        columns: Dictionary[str, int],
        locale: Locale | None,
    ) -> None:
        """Take the rules with what each gives for a blank cell, None where that is a problem, and where columns are."""
        self._locale = locale
        #: target; where the cell stands, None for a constant; what a constant or a blank cell gives; what is remembered
        self._spots = [
            (rule.target, None, rule.constant, {}, _Column(rule))
            if rule.constant is not None
            else self._spot(rule, blank, columns[str(rule.column)])
            for rule, blank in zip(rules, blanks, strict=True)
        ]
        spots = [spot for _, spot, *_ in self._spots if spot is not None]
        self._cells: Any = itemgetter(*spots) if len(spots) > 1 else None
        self._last = max(spots, default=-1)
        self._only_constants = bool(rules) and not spots
        #: where cells stand whose number format matters
        self._shown = [columns[str(rule.column)] for rule in rules if rule.column and rule.options.field.in_percent]
        #: the cells of the row before, and what they gave
        self._before: tuple[tuple[object, ...], Flat] = (_NEVER,), {}

    @staticmethod
    def _spot(
        rule: Rule, blank: FieldValue | None, spot: int
    ) -> tuple[tuple[Step, ...], int | None, FieldValue | None, dict[object, FieldValue], _Column]:
        column = _Column(rule)
        return rule.target, spot, blank, column.known, column

    def fields(self, row: Row) -> Flat | None:
        """Return the fields of the document, the row before's where the cells are the very same.

        None where a cell gives a problem, or has to be looked at with its format.
        """
        if self._shown and self._shows_percent(row):
            return None
        if self._cells is None or len(row.cells) <= self._last:
            found = self.line(row)
            return None if found is None else found[0]
        cells = self._cells(row.cells)
        before, fields = self._before
        if all(map(is_, cells, before)):
            return fields
        found = self.line(row)
        if found is None:
            return None
        self._before = cells, found[0]
        return found[0]

    def line(self, row: Row) -> tuple[Flat, bool] | None:
        """Return the values of a row, and whether a cell or only constants gave them.

        None where a cell gives a problem, or has to be looked at with its format.
        """
        if self._shown and self._shows_percent(row):
            return None
        flat: Flat = {}
        filled = self._only_constants
        cells = row.cells
        size = len(cells)
        for target, spot, blank, known, column in self._spots:
            value: FieldValue | None = blank
            if spot is not None:
                cell = cells[spot] if spot < size else None
                if cell is not None:
                    value = known.get(cell if type(cell) is str else id(cell)) or column.value(cell, self._locale)
                    filled = True
            if value is None:
                return None
            if value is not ABSENT:
                flat[target] = value
        return flat, filled

    def _shows_percent(self, row: Row) -> bool:
        return any("%" in row.formats.get(spot, "") for spot in self._shown)
