"""What the tests of large workbooks share: one report written both ways, and a look at everything in it."""

import re
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import MergedCell
from openpyxl.cell.rich_text import CellRichText
from report_book import record_of

from importer.model import Outcome, Problem, RunRecord, Status
from importer.report import workbook_file
from importer.report.contents import contents


def told(row: int, status: Status = Status.REJECTED, message: str = "Refused.", **more: Any) -> Outcome:
    return Outcome(position=row, key=str(row), status=status, rows=(row,), message=message, **more)


def wrong(row: int, column: str = "Amount", *others: str) -> Outcome:
    problems = tuple(
        Problem(sheet="Invoices", row=row, column=name, value="x", code="required", message=f"{name} is not right.")
        for name in (column, *others)
    )
    return Outcome(position=row, key=str(row), status=Status.INVALID, rows=(row,), problems=problems)


def write(file: Path, target: Path, outcomes: Sequence[Outcome], record: RunRecord, least: int | None) -> Path:
    """Write results.xlsx; `least` is how many rows a sheet may have to be loaded, None for any number."""
    workbook_file.write(target, contents(record, outcomes, file), least=least)
    return target


def is_streamed(file: Path) -> bool:
    """Tell whether rows were passed on: the styles are written last then."""
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()[-1] == "xl/styles.xml"


def both(
    file: Path, outcomes: Sequence[Outcome], record: RunRecord | None = None, *, streamed: bool = True, **changes: Any
) -> tuple[Path, Path]:
    """Write the report both ways, and see that nothing in it differs; return the files, the one that streams first."""
    of = record or record_of(file, **changes)
    quick = write(file, file.parent / f"{file.stem}-quick.xlsx", outcomes, of, 0)
    slow = write(file, file.parent / f"{file.stem}-slow.xlsx", outcomes, of, None)
    assert (is_streamed(quick), is_streamed(slow)) == (streamed, False), (is_streamed(quick), is_streamed(slow))
    assert is_sound(quick)
    found = differences(look(quick), look(slow))
    assert not found, found[:3]
    return quick, slow


def measured(file: Path, outcomes: Sequence[Outcome], record: RunRecord) -> tuple[float, float]:
    """Return how many times the time and the memory the way takes that loads all cells, beside the other."""

    def spent(least: int | None, measure: Callable[[], float]) -> float:
        before = measure()
        write(file, file.parent / "results.xlsx", outcomes, record, least)
        return measure() - before

    # what the first one imports is none of what is compared
    spent(0, time.process_time)
    seconds = [spent(least, time.process_time) for least in (0, None)]
    peaks = []
    tracemalloc.start()
    try:
        for least in (0, None):
            tracemalloc.reset_peak()
            peaks.append(spent(least, lambda: tracemalloc.get_traced_memory()[1]))
    finally:
        tracemalloc.stop()
    return seconds[1] / seconds[0], peaks[1] / peaks[0]


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Return where two looks differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for name in sorted({*one, *other}, key=str)
            for found in differences(one.get(name), other.get(name), f"{place} {name}")
        ]
    return [] if one == other else [f"{place}: {one!r} is not {other!r}"]


def is_sound(file: Path) -> bool:
    """Tell that an archive holds each part once, all parts that it lists, and cells in order."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert len(names) == len(set(names))
        listed = openpyxl.packaging.manifest.Manifest.from_tree(
            openpyxl.xml.functions.fromstring(archive.read("[Content_Types].xml"))
        )
        parts = [entry.PartName.lstrip("/") for entry in listed.Override]
        assert len(parts) == len(set(parts))
        assert set(parts) <= set(names)
        for name in names:
            if name.startswith("xl/worksheets/sheet"):
                _in_order(openpyxl.xml.functions.fromstring(archive.read(name)))
    return True


def _in_order(sheet: Any) -> None:
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    spots = [
        openpyxl.utils.cell.coordinate_to_tuple(cell.get("r"))
        for row in sheet.iterfind("m:sheetData/m:row", space)
        for cell in row
    ]
    assert spots == sorted(set(spots))
    rows = [int(row.get("r")) for row in sheet.iterfind("m:sheetData/m:row", space)]
    assert rows == sorted(set(rows))
    told = sheet.find("m:dimension", space)
    if told is not None and spots:
        _, _, right, bottom = openpyxl.utils.range_boundaries(told.get("ref"))
        assert right >= max(column for _, column in spots)
        assert bottom >= max(row for row, _ in spots)


def look(file: Path) -> dict[str, Any]:
    """Return everything that a workbook shows."""
    book = openpyxl.load_workbook(file, rich_text=True)
    marks = {item.name: item.value for item in book.custom_doc_props.props}
    names = sorted((name, defined.attr_text) for name, defined in book.defined_names.items())
    return {"marks": marks, "names": names, "active": book.active.title} | {
        sheet.title: _sheet(sheet) for sheet in book.worksheets
    }


def _sheet(sheet: Any) -> dict[str, Any]:
    found = {cell.coordinate: _cell(cell) for row in sheet.iter_rows() for cell in row}
    return {
        **{spot: cell for spot, cell in found.items() if cell is not None},
        "rows": {
            number: (row.height, row.hidden, row.outlineLevel)
            for number, row in sheet.row_dimensions.items()
            if row.height or row.hidden or row.outlineLevel
        },
        "columns": {
            letter: (one.width, one.hidden, one.min, one.max) for letter, one in sheet.column_dimensions.items()
        },
        "merged": sorted(map(str, sheet.merged_cells.ranges)),
        "filter": (sheet.auto_filter.ref, [(one.colId, one.filters.filter) for one in sheet.auto_filter.filterColumn]),
        "tables": {one.name: (one.ref, [column.name for column in one.tableColumns]) for one in sheet.tables.values()},
        "panes": sheet.freeze_panes,
        "state": sheet.sheet_state,
        "rules": sorted((str(area.sqref), len(area.rules)) for area in sheet.conditional_formatting),
        "valid": sorted(str(rule.sqref) for rule in sheet.data_validations.dataValidation),
    }


def _cell(cell: Any) -> Any:
    """Return what a cell shows; None for one that shows nothing."""
    link = cell.hyperlink and (cell.hyperlink.target or cell.hyperlink.location)
    note = cell.comment and (cell.comment.author, cell.comment.text)
    if isinstance(cell, MergedCell):
        return None
    # a blank cell gets from openpyxl the address that it leads to
    value = None if isinstance(cell.value, str) and cell.value in {"", link} else cell.value
    shown: Any
    if isinstance(value, CellRichText):
        shown = repr(value)
    elif isinstance(value, bool | str | None):
        shown = value
    elif isinstance(value, int | float):
        shown = float(value)
    else:
        shown = str(getattr(value, "text", value))
    if shown is None and not cell.has_style and not note and not link:
        return None
    names = ("quotePrefix", "font", "fill", "border", "alignment", "protection")
    looks = {name: " ".join(re.findall(r"(\S+=(?!None)[^,]+)", repr(getattr(cell, name)))) for name in names}
    return {"value": shown, "note": note, "link": link, **looks, "format": cell.number_format}


def share_texts(file: Path) -> Path:
    """Save a workbook as Excel does: texts stand in a part of their own, and cells name their places there."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    texts: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        return f' t="s"><v>{texts.setdefault(found[1], len(texts))}</v></c>'

    for name, text in list(parts.items()):
        if name.startswith("xl/worksheets/sheet"):
            parts[name] = re.sub(r' t="inlineStr"><is>(.*?)</is></c>', place, text, flags=re.DOTALL)
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts["xl/sharedStrings.xml"] = f"<sst {space}>" + "".join(f"<si>{text}</si>" for text in texts) + "</sst>"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    listed = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    linked = f'<Relationship Id="texts" Target="sharedStrings.xml" Type="{relation}"/></Relationships>'
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace("</Types>", listed)
    parts["xl/_rels/workbook.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace("</Relationships>", linked)
    shared = file.with_name(f"shared-{file.name}")
    with zipfile.ZipFile(shared, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return shared
