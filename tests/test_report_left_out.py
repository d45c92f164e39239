"""What of the user's workbook results.xlsx cannot show is told, for it looks like his own workbook otherwise."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from report_book import OUTCOMES, edit_xml, make_workbook, record_of, report_on

from importer.report import workbook_file, write_report
from importer.report.contents import contents

SHEET = "xl/worksheets/sheet1.xml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
NAMES = (
    'xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)
SPOT = (
    "<xdr:from><xdr:col>1</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from>"
    '<xdr:ext cx="900000" cy="400000"/>'
)
PLACE = '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom>'
BOX = (
    f'<xdr:oneCellAnchor>{SPOT}<xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="2" name="Note"/>'
    f'<xdr:cNvSpPr txBox="1"/></xdr:nvSpPr><xdr:spPr>{PLACE}</xdr:spPr><xdr:txBody><a:bodyPr/><a:p><a:r>'
    "<a:t>Approved by Kari</a:t></a:r></a:p></xdr:txBody></xdr:sp><xdr:clientData/></xdr:oneCellAnchor>"
)
PICTURE = (
    f'<xdr:oneCellAnchor>{SPOT}<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="3" name="Logo"/><xdr:cNvPicPr/></xdr:nvPicPr>'
    f'<xdr:blipFill><a:blip r:embed="rId1"/></xdr:blipFill><xdr:spPr>{PLACE}</xdr:spPr></xdr:pic>'
    "<xdr:clientData/></xdr:oneCellAnchor>"
)
SPARKLINES = (
    '<extLst><ext uri="{05C60535-1F16-4fd2-B633-F4F36F0B64E0}" '
    'xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"><x14:sparklineGroups/></ext></extLst>'
)


def png() -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"\0\xff\0\0")) + part(b"IEND", b"")


def add_part(file: Path, name: str, data: bytes | str) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, data)


def draw(file: Path, drawing: str) -> Path:
    """Lay a drawing on the sheet of a workbook, as Excel saves it."""
    kinds = '<Default Extension="png" ContentType="image/png"/>'
    kinds += (
        '<Override PartName="/xl/drawings/drawing1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.drawing+xml"/></Types>'
    )
    edit_xml(file, "[Content_Types].xml", "</Types>", kinds)
    edit_xml(file, SHEET, "</worksheet>", f'<drawing xmlns:r="{OFFICE}/relationships" r:id="rId1"/></worksheet>')
    add_part(file, "xl/worksheets/_rels/sheet1.xml.rels", related("drawing", "../drawings/drawing1.xml"))
    add_part(file, "xl/drawings/drawing1.xml", f"<xdr:wsDr {NAMES}>{drawing}</xdr:wsDr>")
    return file


def related(kind: str, target: str) -> str:
    return (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/relationships/{kind}" Target="{target}"/></Relationships>'
    )


def boxed(file: Path) -> Path:
    return draw(file, BOX)


def pictured(file: Path) -> Path:
    add_part(file, "xl/media/image1.png", png())
    add_part(file, "xl/drawings/_rels/drawing1.xml.rels", related("image", "../media/image1.png"))
    return draw(file, BOX + PICTURE)


def sparkling(file: Path) -> Path:
    edit_xml(file, SHEET, "</worksheet>", f"{SPARKLINES}</worksheet>")
    return file


def controlled(file: Path) -> Path:
    add_part(file, "xl/ctrlProps/ctrlProp1.xml", "<formControlPr/>")
    add_part(file, "xl/vbaProject.bin", b"macro")
    return file


def note(listed: str) -> str:
    return (
        f"results.xlsx does not show all of 'invoices.xlsx': {listed} cannot be copied. Where you need them, correct "
        "that workbook itself."
    )


@pytest.mark.parametrize("least", [None, 0], ids=["loaded", "streamed"])
@pytest.mark.parametrize(
    ("change", "listed"),
    [
        (boxed, "shapes or text boxes"),
        (sparkling, "sparklines"),
        (controlled, "form controls and macros"),
    ],
)
def test_what_cannot_be_copied_is_told(
    least: int | None, change: Callable[[Path], Path], listed: str, tmp_path: Path
) -> None:
    """Whoever corrects the copy would look for it in vain."""
    file = change(make_workbook(tmp_path))
    told = contents(record_of(file), OUTCOMES, file)
    workbook_file.write(tmp_path / "results.xlsx", told, least=least)
    assert told.notes == [note(listed)]


def test_pictures_are_told_where_they_are_not_copied(tmp_path: Path) -> None:
    """The copy holds them where another library is there that understands them."""
    file = pictured(make_workbook(tmp_path))
    notes = write_report(tmp_path / "report", record_of(file), OUTCOMES, file)
    with zipfile.ZipFile(tmp_path / "report" / "results.xlsx") as archive:
        copied = any(name.startswith("xl/media/") for name in archive.namelist())
    assert notes == [note("shapes or text boxes" if copied else "pictures and shapes or text boxes")]


def test_what_is_copied_is_not_told(tmp_path: Path) -> None:
    """A chart and its report's report: nothing is missing."""

    def edit(sheet: Any) -> None:
        chart = BarChart()
        chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=4), titles_from_data=True)
        sheet.add_chart(chart, "K2")

    assert len(report_on(make_workbook(tmp_path, edit))["Invoices"]._charts) == 1
    again = tmp_path / "again.xlsx"
    again.write_bytes((tmp_path / "report" / "results.xlsx").read_bytes())
    assert write_report(tmp_path / "report", record_of(again), OUTCOMES, again) == []


def test_what_stands_in_for_an_unknown_drawing_is_no_shape(tmp_path: Path) -> None:
    """Excel puts a text box there for programs that do not know the drawing."""
    fallback = f"<mc:AlternateContent><mc:Fallback>{BOX}</mc:Fallback></mc:AlternateContent>"
    file = draw(make_workbook(tmp_path), fallback)
    assert write_report(tmp_path / "report", record_of(file), OUTCOMES, file) == []


def test_pictures_of_an_ods_file_are_told(tmp_path: Path) -> None:
    """Its archive holds them under other names."""
    file = tmp_path / "libreoffice.ods"
    file.write_bytes((Path(__file__).parent / "files" / file.name).read_bytes())
    add_part(file, "Pictures/1.png", png())
    record = record_of(file, sheet="Fakturaer")
    (found,) = write_report(tmp_path / "report", record, [], file)
    assert "'libreoffice.ods': pictures cannot be copied" in found
    assert openpyxl.load_workbook(tmp_path / "report" / "results.xlsx").sheetnames[0] == "Fakturaer"
