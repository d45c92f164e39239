"""Find the texts that say no and that a template takes for a yes: to Jinja any text that is not blank is true."""

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any

from importer.cells import yes_or_no
from importer.expression import Expression
from importer.model import Fault, Row
from importer.workbook import Sheet


@dataclass(frozen=True)
class Misread:
    """Look for such texts in the rows of one sheet, and keep those that may be meant."""

    sheet: Sheet
    param: Dictionary[str, Any]
    #: what is odd, with the rows in which it is
    kept: dict[Fault, list[int]] = field(default_factory=dict, init=False)
    _columns: dict[str, bool] = field(default_factory=dict, init=False)

    def fault(
        self, name: str, expression: Expression, row: Row, view: Dictionary[str, Any], value: object
    ) -> Fault | None:
        """Return what is wrong where such a text is the reason why `value` came out.

        In a column that holds more than yes and no, such as one of countries, it may be meant, and is only kept.
        """
        found = self._find(name, expression, view, value)
        if found is None or self._of_yes_and_no(str(found.column)):
            return found
        self.kept.setdefault(found, []).append(row.number)
        return None

    def keep(self, name: str, expression: Expression, row: Row, view: Dictionary[str, Any], value: object) -> None:
        """Keep what is odd where such a text in a column of yes and no is the reason why `value` came out."""
        found = self._find(name, expression, view, value)
        if found is not None and self._of_yes_and_no(str(found.column)):
            self.kept.setdefault(found, []).append(row.number)

    def _find(self, name: str, expression: Expression, view: Dictionary[str, Any], value: object) -> Fault | None:
        header = expression.misread(view, self.param, value)
        if header is None:
            return None
        text = str(view[header])
        message = (
            f"{name} takes the text {text!r} for a yes, as any text that is not blank. Compare it in the mapping: "
            f"row[{header!r}] != {text!r} asks whether it says something else, row[{header!r}] != '' whether it is "
            "filled."
        )
        return Fault("text_says_no", text, message, header)

    def _of_yes_and_no(self, header: str) -> bool:
        """Tell whether a column holds nothing but yes and no."""
        if header not in self._columns:
            spot = self.sheet.columns[header]
            cells = (row.cells[spot] for row in self.sheet.rows if spot < len(row.cells))
            self._columns[header] = all(map(yes_or_no, cells))
        return self._columns[header]
