"""An .ods workbook that was made to hurt is refused with a reason, and one that is only odd is read."""

import re
import zipfile
from pathlib import Path

import pytest
from confined import confined
from test_reading_ods import (
    HEADER,
    cell,
    document,
    number,
    pack,
    row,
    string,
)

from importer.errors import WorkbookError
from importer.workbook import read

WIDE = 'table:number-columns-repeated="{}" office:value-type="float" office:value="1"'


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>', "^1$"),
        ('<table:table-row table:number-rows-repeated="99999999999"><table:table-cell/></table:table-row>', "^1$"),
        (
            '<table:table-row><table:table-cell table:number-columns-repeated="99999999999"/></table:table-row>',
            "^1$",
        ),
        (row(number("1"), number_rows_repeated="1048576"), "repeats rows and cells beyond"),
        (
            f"<table:table-row>{cell(WIDE.format(16_385))}</table:table-row>",
            "cells beyond the last column",
        ),
        (
            f'<table:table-row table:number-rows-repeated="1000000">{cell(WIDE.format(16_000))}</table:table-row>',
            "repeats rows and cells beyond",
        ),
        (row(number("1")) + "<text:p>" * 100_000 + "</text:p>" * 100_000, "^2$"),
        (
            row(cell("", f"<text:p>{'<text:span>' * 100_000}{'</text:span>' * 100_000}</text:p>")),
            "damaged",
        ),
    ],
    ids=["blank rows", "more blank rows", "blank cells", "rows", "cells", "both", "depth", "depth in a cell"],
)
def test_repetitions_cost_neither_time_nor_memory(tmp_path: Path, rows: str, words: str) -> None:
    """A few bytes that stand for a million rows do not kill the process."""
    table = f'<table:table table:name="Rader">{HEADER}{row(string("x"))}{rows}</table:table>'
    file = pack(tmp_path / "rader.ods", document(table))

    assert re.search(words, confined(file))


BOMB = """<!DOCTYPE a [<!ENTITY a "{}">{}]>""".format(
    "a" * 100, "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8))
)


@pytest.mark.parametrize("part", ["content", "styles"])
@pytest.mark.parametrize(
    "text", ["", "<broken", BOMB + "<a>&i;</a>", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>']
)
def test_broken_and_hostile_xml_is_told(tmp_path: Path, part: str, text: str) -> None:
    """Entities that grow or read other files are refused, in each part."""
    whole = document(f'<table:table table:name="Rader">{HEADER}</table:table>')
    file = tmp_path / "rader.ods"
    pack(file, text if part == "content" else whole, **({} if part == "content" else {"styles_xml": text}))

    with pytest.raises(WorkbookError, match=r"damaged|holds no headers|visible sheets"):
        read(file)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    """A part that unpacks to hundreds of megabytes is refused before it is unpacked."""
    file = tmp_path / "rader.ods"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        with archive.open("content.xml", "w", force_zip64=True) as part:
            for _ in range(200):
                part.write(b" " * 1_000_000)

    with pytest.raises(WorkbookError, match="unpacks to 200,000,046 bytes in 2 parts; that is no workbook to trust"):
        read(file)
