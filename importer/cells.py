"""What templates of a mapping see of the cells of a row, which they name, and how they read a number from a text.

The text of a cell is never taken for a number by Python's rules: where a template reckons or compares with one, it says
`|decimal`, which reads it in the workbook's locale as a field would.
"""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from jinja2 import nodes

from importer.formats import zeros
from importer.jsontext import plain
from importer.locales import BOOLEAN_WORDS, Locale, parse_number
from importer.model import CellValue, Fault, Reference

_LIKE_A_NUMBER: Final = re.compile("[-+]?[0-9](?:[0-9.,' \u00a0\u2009\u202f]*[0-9])?")
#: A number as a mapping writes it.
_TYPED: Final = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]+)?\s*")
_NOTHING: Final = re.compile(r"[-+]?0+([.,]0*)?")
_WORDS: Final = {word: truth for words in BOOLEAN_WORDS.values() for word, truth in words.items()}
#: What people tick a row with, beside words.
_YES: Final = frozenset({"1", "x"})


class CellError(Exception):
    """Carry out of a template what is wrong with a cell that it uses."""

    def __init__(self, fault: Fault, row: int | None = None) -> None:
        """Take the fault, which names the column, and the number of the row."""
        super().__init__(fault.message)
        self.fault = fault
        self.row = row


class CellText(str):
    """Be the text of a cell: equal to texts only, and a problem where it is held against what it might mean."""

    __slots__ = ("header", "row")
    header: str
    #: the number of the row, where it is known
    row: int | None

    def __new__(cls, text: str, header: str, row: int | None = None) -> "CellText":
        """Return the text of a cell with its place."""
        self = super().__new__(cls, text)
        self.header, self.row = header, row
        return self

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            self._hold_against(other)
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if not isinstance(other, str):
            self._hold_against(other)
        return str.__ne__(self, other)

    def _hold_against(self, other: object) -> None:
        """Tell a comparison that Python answers with no, though the cell may say the same."""
        text = str(self)
        if isinstance(other, bool) and text.casefold() in _WORDS:
            raise self.error(f"compares it with {str(other).lower()}. Compare it with a text, such as == {text!r}.")
        if isinstance(other, int | Decimal) and not isinstance(other, bool) and like_a_number(text):
            raise self.error(
                f"compares it with the number {other}. Say row[{self.header!r}]|decimal in the template to read a "
                f"number, or put quotes around {other} to compare texts."
            )

    def error(self, what: str) -> CellError:
        """Return the error of a template that takes the text for something else."""
        message = f"The cell holds the text {str(self)!r}, and the template {what}"
        return CellError(Fault("template", str(self), message, self.header), self.row)


class SaysNo(CellText):
    """Be the text of a cell that says no, and count as no where a template asks whether it is true."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


class ShownNumber(Decimal):
    """Be a number that is shown with zeros before it: it can be reckoned with, and is a problem once it is text."""

    __slots__ = ("form", "header", "row")
    form: str
    header: str
    row: int | None

    def __new__(cls, number: Decimal, form: str, header: str, row: int | None = None) -> "ShownNumber":
        """Return the number of a cell with its format and place."""
        self = super().__new__(cls, number)
        self.form, self.header, self.row = form, header, row
        return self

    def __str__(self) -> str:
        raise self._error()

    def __format__(self, *_: Any) -> str:
        raise self._error()

    def _error(self) -> CellError:
        digits, row = plain(Decimal(self)), f"row[{self.header!r}]"
        message = (
            f"Excel holds this cell as the number {digits} and shows zeros before it (format {self.form!r}), which the "
            f"text of the template would lose. Format the column as text and type it again, or say in the template: "
            f"({row}|int|string).zfill({zeros(self.form)}) with the zeros, {row}|int without."
        )
        return CellError(Fault("number_in_text", digits, message, self.header), self.row)


def shown_number(number: Decimal, form: str, header: str, row: int | None) -> Decimal:
    """Return a number as templates see it, by the format that it is shown with."""
    width = zeros(form)
    if width == 1 or number < 0 or number != number.to_integral_value() or number >= 10 ** (width - 1):
        return number
    return ShownNumber(number, form, header, row)


def like_a_number(text: str) -> bool:
    """Tell whether a text may be meant as a number, in any locale."""
    return _LIKE_A_NUMBER.fullmatch(text) is not None


def says_no(text: str) -> bool:
    """Tell whether a text means no, in any language, or nothing."""
    return _WORDS.get(text.casefold()) is False or _NOTHING.fullmatch(text) is not None


def yes_or_no(cell: CellValue) -> bool:
    """Tell whether a cell may stand in a column that holds nothing but yes and no."""
    if isinstance(cell, str):
        return cell.casefold() in _WORDS or cell.casefold() in _YES or _NOTHING.fullmatch(cell) is not None
    return cell is None or isinstance(cell, bool) or (isinstance(cell, Decimal) and cell in {0, 1})


def to_decimal(where: Locale | None, value: Any) -> Decimal:
    """Return the number that a template asks for.

    Raises: CellError where a text holds none.
    """
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        return Decimal(str(value))
    found = parse_number(value, where) if isinstance(value, CellText) else _computed(value, where)
    if isinstance(found, Decimal):
        return found
    raise CellError(replace(found, column=value.header), value.row) if isinstance(value, CellText) else CellError(found)


def to_whole(where: Locale | None, value: Any, default: int | None = None) -> int:
    """Return the whole part of a number that a template asks for: 0 for a blank, or the default that it names.

    Raises: CellError where a text holds none, and the template names no default.
    """
    if not isinstance(value, str):
        return int(value)
    if isinstance(value, Reference) or (isinstance(value, CellText) and not value):
        # what stands for the number of another document is no number yet
        return default or 0
    try:
        return int(to_decimal(where, value))
    except CellError:
        if default is None:
            raise
        return default


def _computed(text: str, where: Locale | None) -> Decimal | Fault:
    """Read a text that a template made: as a mapping writes numbers or as the sheet does, where both do not differ."""
    local = parse_number(text, where)
    if not _TYPED.fullmatch(text):
        return local
    typed = Decimal(text.strip())
    if isinstance(local, Fault):
        return local if local.code == "ambiguous_number" else typed
    if local == typed or where is None:
        return typed
    return Fault(
        "ambiguous_number",
        text,
        f"{text!r} can be read in two ways: {typed} as a mapping writes numbers, {local} in {where.name}. Read the "
        "cell itself with row['...']|decimal, which is sure.",
    )


def names_in(tree: nodes.Template) -> tuple[frozenset[str], frozenset[str]]:
    """Return the headers and the parameters that it names."""
    found: dict[str, set[str]] = {"row": set(), "param": set()}
    for node in tree.find_all((nodes.Getitem, nodes.Getattr)):
        owner, name = _member(node)
        if owner in found and name is not None:
            found[owner].add(name)
    return frozenset(found["row"]), frozenset(found["param"])


def _member(node: nodes.Node | None) -> tuple[str, str | None]:
    """Return owner and name of what is written owner['name'] or owner.name; the name is None of anything else."""
    owner: Any = getattr(node, "node", None)
    if not isinstance(owner, nodes.Name):
        return "", None
    if isinstance(node, nodes.Getattr):
        return owner.name, node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return owner.name, str(node.arg.value)
    return owner.name, None


def asked_in(tree: nodes.Template) -> frozenset[str]:
    """Return the headers of the cells that by themselves are a condition.

    `row['A'] or 'B'` is none where its value is wanted: it fills in for a blank.
    """
    choices = tree.find_all((nodes.If, nodes.CondExpr, nodes.For))
    conditions: list[Any] = [getattr(node, "test", None) for node in choices]
    conditions += [node.node for node in tree.find_all(nodes.Not)]
    conditions += [node.left for node in tree.find_all(nodes.And)]
    found: set[str] = set()
    while conditions:
        node = conditions.pop()
        if isinstance(node, nodes.And | nodes.Or):
            conditions += [node.left, node.right]
        owner, name = _member(node)
        if owner == "row" and name is not None:
            found.add(name)
    return frozenset(found)
