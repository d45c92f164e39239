"""Read .csv, .tsv and .txt files: every cell is text, every line has as many cells as the header.

The csv module takes the lines apart. What it leaves open is decided here: which encoding, which delimiter, and what a
line is that is too long or too short. It is never shifted, filled up or cut.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

from importer.errors import WorkbookError
from importer.model import CellValue, Fault
from importer.values import cell_value
from importer.workbook.encoding import decode
from importer.workbook.files import cannot_open
from importer.workbook.layout import DELIMITERS, TextLayout
from importer.workbook.serial import ERRORS, error_cell
from importer.workbook.sheet import EMPTY, Cell, Table, Title

_SEPARATOR_LINE: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_MAX_TITLE: Final = 31
_FORMULA_TEXT: Final = re.compile(r'="((?:[^"]|"")*)"', re.DOTALL)
#: A text in quotation marks with a blank before them.
_BLANK_MARKED: Final = re.compile(' +".*" *', re.DOTALL)
_TOO_NARROW: Final = re.compile("#{3,}")
_LINE_END: Final = re.compile(r"\r\n?|\n")
#: How Excel writes the errors of cells in the languages of the North and in German.
_LOCAL_ERRORS: Final = frozenset(
    {
        *("#I/T", "#VERDI!", "#NAVN?", "#VÆRDI!", "#REFERENCE!", "#NUL!", "#DIVISION/0!"),
        *("#SAKNAS!", "#VÄRDEFEL!", "#REFERENS!", "#NAMN?", "#OGILTIGT!", "#SKÄRNING!"),
        *("#PUUTTUU!", "#ARVO!", "#VIITTAUS!", "#NIMI?", "#LUKU!", "#TYHJÄ!", "#JAKO/0!"),
        *("#NV", "#WERT!", "#BEZUG!", "#ZAHL!"),
    }
)
#: What people write for the tab.
_WORDS: Final = {"tab": "\t", "\\t": "\t"}
#: How many records tell the delimiter.
_TRIED: Final = 2_000
#: How many texts are remembered.
_REMEMBERED: Final = 100_000
#: A row of so few cells is not told from a line of a text.
_FEW: Final = 2
#: A record with the line it begins in, 1-based.
_Record = tuple[int, list[str]]


class _Texts(dict[str, str]):
    """Hold each text of a file once, as far as it stands again soon; note what is told of any of them."""

    #: whether any may be a formula, has several lines, or begins with a blank and a quotation mark
    formulas = False
    lines = False
    marks = False

    def __missing__(self, text: str) -> str:
        if len(self) > _REMEMBERED:
            self.clear()
        self.formulas = self.formulas or text.startswith("=")
        self.marks = self.marks or text.startswith(' "')
        self.lines = self.lines or "\n" in text or "\r" in text
        self[text] = text
        return text


class _Values(dict[str, Cell]):
    """Hold what the texts of a file stand for."""

    def __missing__(self, text: str) -> Cell:
        if len(self) > _REMEMBERED:
            self.clear()
        cell = self[text] = (_value(text), None) if text else EMPTY
        return cell


class TextBook:
    """Hold a text file as a workbook with one sheet."""

    def __init__(self, name: str, data: bytes, meant: TextLayout, sheet: str | None, header_row: int | None) -> None:
        text, encoding, note = decode(name, data, meant.encoding)
        text, separator = _without_separator_line(text)
        self._name = name
        self._text = text
        self._header_row = header_row
        self._skipped = 0 if separator is None else 1
        self._notes = [note] if note else []
        delimiter = _WORDS.get(meant.delimiter or "", meant.delimiter) or separator
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise WorkbookError(
                f"The mapping's workbook: delimiter: {delimiter!r} cannot be one. Use one character, such as ; or ,"
            )
        self.layout = TextLayout(encoding=encoding, delimiter=delimiter or self._find_delimiter())
        self.titles = [Title(sheet or _title(name))]

    def table(self, title: str) -> Table:
        """Return the cells, once it is sure that no line has more or fewer of them than the header."""
        texts = _Texts()
        records = [
            (line, list(map(texts.__getitem__, cells))) for line, cells in self._records(str(self.layout.delimiter))
        ]
        wanted, below = self._below_header(records)
        self._refuse_ragged(wanted, below)
        notes = list(self._notes)
        if texts.lines:
            notes += self._swallowed(wanted, below)
        values = _Values()
        rows = (
            (number, list(map(values.__getitem__, cells)))
            for number, (_line, cells) in enumerate(records, start=1)
            if any(cells)
        )
        quoted = texts.formulas and sum(_is_formula(cell) for _line, cells in records for cell in cells)
        if quoted:
            notes.append(
                f'{quoted} cells are written as ="..."; they were read as the text between the quotation marks.'
            )
        if texts.marks:
            notes += _marked(records)
        return Table(title=title, rows=rows, notes=tuple(notes), layout=self.layout)

    def _records(self, delimiter: str) -> Iterator[_Record]:
        """Yield the records with the line each begins in.

        Raises: WorkbookError where quotation marks do not close, or a cell is too long.
        """
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=delimiter, strict=True)
        line = self._skipped + 1
        try:
            for record in reader:
                yield line, record
                line = reader.line_num + self._skipped + 1
        except csv.Error as error:
            if "field limit" in str(error):
                raise WorkbookError(
                    f"{self._name!r}, line {line}: a quotation mark is not closed, or a cell holds more than "
                    f"{csv.field_size_limit():,} characters, which no sheet can. Correct the line and try again."
                ) from None
            raise WorkbookError(
                f"{self._name!r}, line {line}: a quotation mark is not closed, or text stands behind one that closes "
                f'({error}). Within quotation marks write "" for one. Correct the line and try again.'
            ) from None

    def _find_delimiter(self) -> str:
        """Return the delimiter by which every line has the cells that the header has.

        Raises: WorkbookError when two do.
        """
        found = {delimiter: self._counts(delimiter) for delimiter in DELIMITERS}
        fitting = [
            delimiter for delimiter, (counts, whole) in found.items() if whole and counts[0] > 1 and _even(counts)
        ]
        if self._header_row is None:
            # a comma in each amount fits all lines but the header: what fits more lines is meant
            most = max((len(found[fit][0]) for fit in fitting), default=0)
            fitting = [fit for fit in fitting if len(found[fit][0]) == most]
        if len(fitting) > 1:
            read = " or ".join(f"{DELIMITERS[fit]} ({found[fit][0][0]} columns)" for fit in fitting)
            raise WorkbookError(
                f"{self._name!r} can be read with two delimiters: {read}. Say which is meant: in the mapping by "
                f'workbook: delimiter: "{fitting[0]}", or in the file by a line sep={fitting[0]} above all others.'
            )
        if fitting:
            return fitting[0]
        # none fits: the one that fits most lines tells best which lines are wrong
        return max(DELIMITERS, key=lambda delimiter: _evenness(found[delimiter][0]))

    def _counts(self, delimiter: str) -> tuple[list[int], bool]:
        """Return how many cells the header and each record below it have, and whether all could be taken apart."""
        counts: list[int] = []
        first, whole = self._header_row or 1, True
        try:
            for number, (_line, cells) in enumerate(self._records(delimiter), start=1):
                if number > _TRIED + first:
                    break
                if number == first or (number > first and any(cells)):
                    counts.append(len(cells))
        except WorkbookError:
            whole = False
        if self._header_row is None and counts:
            # nobody has said yet which row holds the headers: titles above the table have fewer cells
            usual = max(set(counts), key=lambda count: (counts.count(count), count))
            counts = [count for count in counts if count == usual]
        return counts or [0], whole

    def _below_header(self, records: Sequence[_Record]) -> tuple[int, Sequence[_Record]]:
        """Return how many cells a row has, and the records that are rows; none where no row holds headers."""
        if self._header_row is None or self._header_row > len(records):
            return 0, ()
        header = records[self._header_row - 1][1]
        below = [(line, cells) for line, cells in records[self._header_row :] if any(cells)]
        named = max((spot for spot, cell in enumerate(header, start=1) if cell.strip()), default=0)
        if not named:
            return 0, ()
        # a header may end with delimiters that no line below it has
        return (named if below and all(len(cells) == named for _line, cells in below) else len(header)), below

    def _refuse_ragged(self, wanted: int, below: Sequence[_Record]) -> None:
        wrong = [(line, cells) for line, cells in below if len(cells) != wanted]
        if not wrong:
            return
        line, cells = wrong[0]
        more = f" So it is in {len(wrong)} lines." if len(wrong) > 1 else ""
        delimiter = self._delimiter_name()
        raise WorkbookError(
            f"{self._name!r}, line {line}: {_counted(len(cells))}, but the header has {wanted} (delimiter: "
            f"{delimiter}).{more} Put cells that hold a {delimiter} in quotation marks, or correct the line: none is "
            "moved or left out. If the headers stand in another row, or the delimiter is another, say so in the "
            "mapping: workbook: header_row, delimiter."
        )

    def _swallowed(self, wanted: int, below: Sequence[_Record]) -> Iterator[str]:
        """Yield a note where two stray quotation marks may have made one cell of several rows.

        Raises: WorkbookError where each line of such a record is a row by itself.
        """
        if wanted < _FEW:
            return
        delimiter, name = str(self.layout.delimiter), self._delimiter_name()
        # in sentences a blank stands behind a comma, in rows none
        tight = re.compile(re.escape(delimiter) + "(?! )")
        doubtful: list[tuple[int, int]] = []
        for line, cells in below:
            texts = [cell if "\n" in cell or "\r" in cell else "" for cell in cells]
            if not any(texts):
                continue
            lines = _LINE_END.split(delimiter.join(texts))
            last = line + len(lines) - 1
            rows = wanted > _FEW and all(len(tight.findall(text)) == wanted - 1 for text in lines if text.strip())
            if rows and not self._all_marked(line, last, cells):
                raise WorkbookError(
                    f"{self._name!r}, line {line}: a quotation mark opens a cell there that ends in line {last}, but "
                    f"each of these lines has {wanted} cells by itself, as the header has. If they are several rows, "
                    "delete the quotation mark that is too many in the first of them; if they are one row, take the "
                    f"line breaks or each {name} out of its text."
                )
            if any(text.count(delimiter) >= wanted - 1 for cell in texts for text in _LINE_END.split(cell)):
                doubtful.append((line, last))
        if doubtful:
            more = f" So it is in {len(doubtful)} rows." if len(doubtful) > 1 else ""
            line, last = doubtful[0]
            yield (
                f"Lines {line} to {last} of the file were read as one row: a cell in quotation marks holds a line with "
                f"as many cells (delimiter: {name}) as a row has.{more} If rows are missing, a quotation mark too many "
                "stands in the first of these lines: delete it."
            )

    def _all_marked(self, first: int, last: int, cells: Sequence[str]) -> bool:
        """Tell whether every cell of a record stands in quotation marks, so that none of these is a stray one."""
        lines = self._lines[first - 1 - self._skipped : last - self._skipped]
        marked = ('"' + cell.replace('"', '""') + '"' for cell in cells)
        return "".join(lines).rstrip("\r\n") == str(self.layout.delimiter).join(marked)

    @cached_property
    def _lines(self) -> list[str]:
        return list(io.StringIO(self._text, newline=""))

    def _delimiter_name(self) -> str:
        return DELIMITERS.get(str(self.layout.delimiter), repr(self.layout.delimiter))


@contextmanager
def open_book(
    file: Path, name: str, meant: TextLayout, sheet: str | None, header_row: int | None
) -> Iterator[TextBook]:
    """Open a text file as a workbook with one sheet, called as the mapping calls it.

    Raises: WorkbookError when it cannot be read as a table.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise cannot_open(file, error) from None
    yield TextBook(name, data, meant, sheet, header_row)


def _even(counts: list[int]) -> bool:
    return len(set(counts)) == 1


def _evenness(counts: list[int]) -> tuple[int, int, int]:
    """Return how well a delimiter fits: the header first, else the lines below a title that is none."""
    header, *below = counts
    if header > 1:
        return 2, sum(count == header for count in below), header
    wide = sum(count > 1 for count in below)
    return (1, wide, 0) if wide and 2 * wide >= len(below) else (0, 0, 0)


def _counted(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells} cells"


def _title(name: str) -> str:
    """Return what Excel calls the sheet of a text file: the file's name, without what a title cannot hold."""
    return re.sub(r"[\[\]:*?/\\]", " ", Path(name).stem).strip("' ")[:_MAX_TITLE] or "Sheet1"


def _without_separator_line(text: str) -> tuple[str, str | None]:
    """Take off the line `sep=;` that Excel understands and does not show."""
    match = _SEPARATOR_LINE.match(text)
    return (text[match.end() :], match[1]) if match else (text, None)


def _is_formula(text: str) -> bool:
    return text.startswith("=") and _FORMULA_TEXT.fullmatch(text) is not None


def _marked(records: Sequence[_Record]) -> Iterator[str]:
    """Yield a note where a blank keeps quotation marks from being ones."""
    lines = [line for line, cells in records for cell in cells if _BLANK_MARKED.fullmatch(cell)]
    if lines:
        cells = "1 cell has" if len(lines) == 1 else f"{len(lines)} cells have"
        yield (
            f"{cells} a blank before the quotation marks, the first in line {lines[0]}: they were read as part of the "
            "text. If they are none, take the blanks behind the delimiters out of the file, or export it again."
        )


def _value(text: str) -> CellValue:
    formula = _FORMULA_TEXT.fullmatch(text)
    if formula:
        return cell_value(formula[1].replace('""', '"'))
    if text.startswith("#"):
        shown = text.strip()
        if shown in ERRORS or shown in _LOCAL_ERRORS:
            return error_cell(shown)
        if _TOO_NARROW.fullmatch(shown):
            return Fault(
                "error_cell",
                shown,
                f"The file holds {shown} in place of the value: the column was too narrow when Excel wrote the file. "
                "Make it wider in Excel and export again.",
            )
    return cell_value(text)
