"""Put problems with one cause together, so that a column of thousand mistakes reads as one. Pure."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Final

from importer.model import Problem

#: What each kind of problem or warning is called, in a few words.
TITLES: Final[Dictionary[str, str]] = {
    # of the file or the sheet as a whole
    "no_column": "Column not found",
    "repeated_column": "Header stands more than once",
    "hidden_rows": "Hidden rows",
    "merged_cells": "Merged cells",
    "total_mismatch": "Total is not what is expected",
    "total_expectation": "Expected total is not a number",
    # of documents and rows
    "key_missing": "No key",
    "header_conflict": "Rows of one document disagree",
    "number_twice": "Two documents ask for one number",
    "identifier_twice": "Two documents have one identifier",
    "found_twice": "Finds two in Visma",
    "found_by_two": "Two documents find one in Visma",
    "needed_to_create": "Blank, but needed to create",
    "empty": "Nothing to send",
    "template": "Template cannot be filled in",
    "body": "Not what Visma takes",
    "body_type": "Not the shape that Visma takes",
    "wrapping": "Not the shape that Visma takes",
    "unknown_field": "Field that Visma does not know",
    "insert_with_number": "Inserted line has a number",
    "line_number_missing": "Line has no number",
    "reference_changed": "Number of another document changed",
    # of cells
    "reference_missing": "Refers to a document that is not there",
    "required": "Blank, but needed",
    "not_a_number": "Not a number",
    "ambiguous_number": "Number with two readings",
    "number_format": "Number as text, no locale declared",
    "number_in_text": "Number in a text field",
    "percent_format": "Per cent that Excel holds as a fraction",
    "shortened_number": "Number that Excel shortened",
    "not_displayable": "Number without certain display",
    "boolean_in_text": "TRUE or FALSE in a text field",
    "date_in_text": "Date in a text field",
    "too_many_decimals": "Too many decimals",
    "too_many_digits": "More digits than Excel keeps",
    "not_whole": "Not a whole number",
    "not_finite": "Not a finite number",
    "out_of_range": "Number out of range",
    "not_a_date": "Not a date",
    "date_format": "Date as text, no format declared",
    "date_before_1900": "Date before March 1900",
    "duration": "Duration",
    "cell_type": "Content that no field takes",
    "not_a_boolean": "Neither yes nor no",
    "text_says_no": "Text that says no taken for a yes",
    "not_a_period": "Not a period",
    "not_in_map": "Not in the code list",
    "not_allowed": "Not an allowed value",
    "pattern": "Not in the form that is wanted",
    "too_long": "Text too long",
    "unseen_character": "Number with a character that nobody sees",
    "control_character": "Character that cannot be sent",
    "error_cell": "Error in a cell",
    "not_calculated": "Formula never calculated",
    "literal": "Not the type that is wanted",
    # warnings
    "reference_earlier": "Refers to a document of an earlier run",
    "cannot_be_found": "Could not be found again",
    "negative_document": "Document below zero",
    "scattered_rows": "Rows of a document apart",
    "insert_and_update": "Lines inserted and changed",
    "needs_v2": "Has no effect on v1",
    "null_as_text": "Word for nothing that stays text",
    "needed_field": "Field that Visma needs",
    "odd_date": "Odd date",
    "half_empty": "Column filled in part",
    "other_currency": "Amount in another currency",
    "near_equal_keys": "Keys that look alike",
    "hidden_rows_kept": "Hidden rows are imported",
    "hidden_rows_left": "Hidden rows are left out",
    "workbook_note": "How the file was read",
    "no_rows": "No rows",
    "template_other_mapping": "Workbook made for another mapping",
    "template_outdated": "Workbook made from an earlier mapping",
}
#: Kinds that concern the file or the sheet as a whole.
_WHOLE: Final = frozenset(
    {"no_column", "repeated_column", "hidden_rows", "merged_cells", "total_mismatch", "total_expectation"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Hold the problems of one kind in one column."""

    code: str
    title: str
    #: the column's header, where one column is to blame
    column: str | None
    #: how many cells, rows or documents it concerns
    count: int
    #: where it is, as Excel writes it, cells that stand together as one range: `Q5:Q9`, `row 12`
    places: tuple[str, ...]

    def first_places(self, most: int) -> str:
        """List the first places, and say that there are more."""
        return ", ".join(self.places[:most]) + (" ..." if len(self.places) > most else "")


def title_of(code: str) -> str:
    """Return what a kind of problem is called."""
    return TITLES.get(code) or code.replace("_", " ").capitalize()


def named(code: str, column: str | None) -> str:
    """Return what a kind of problem is called, with the column that is to blame."""
    return f"{title_of(code)}: {column}" if column else title_of(code)


def letters(headers: Sequence[str | None]) -> dict[str, str]:
    """Return the column letters of the headers that stand once."""
    from openpyxl.utils import get_column_letter

    spots: dict[str, list[int]] = {}
    for spot, header in enumerate(headers, start=1):
        if header is not None:
            spots.setdefault(header, []).append(spot)
    return {header: get_column_letter(found[0]) for header, found in spots.items() if len(found) == 1}


def causes(problems: Iterable[Problem], headers: Sequence[str | None]) -> list[Cause]:
    """Return the causes of problems: those of the file as a whole first, then the most frequent."""
    groups: dict[tuple[str, str | None], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.code, problem.column), []).append(problem)
    columns = letters(headers)
    found = [
        Cause(
            code=code,
            title=title_of(code),
            column=column,
            count=len(members),
            places=ranges((member.row for member in members), columns.get(column or "")),
        )
        for (code, column), members in groups.items()
    ]
    return sorted(found, key=lambda cause: (cause.code not in _WHOLE, -cause.count if cause.code not in _WHOLE else 0))


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each unbroken row of numbers."""
    found: list[tuple[int, int]] = []
    if isinstance(numbers, tuple) and numbers and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        return [(numbers[0], numbers[-1])]
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def ranges(rows: Iterable[int | None], letter: str | None) -> tuple[str, ...]:
    """Write rows of one column as cells, neighbours as one range."""
    found = spans(row for row in rows if row is not None)
    if letter is None:
        return tuple(f"row {first}" if first == last else f"rows {first}-{last}" for first, last in found)
    return tuple(f"{letter}{first}" if first == last else f"{letter}{first}:{letter}{last}" for first, last in found)
