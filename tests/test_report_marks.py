"""Marks of an earlier report come off, whichever program saved the workbook in between."""

from pathlib import Path
from typing import Any

from openpyxl.styles import PatternFill
from report_book import edit_xml, make_workbook, relocated, report_on
from report_both_ways import both, told, wrong

from importer.report.marks import FILL


def test_marks_come_off_after_libreoffice_saved_the_workbook(tmp_path: Path) -> None:
    """It puts a colour of its own where a solid fill does not show it: the cell had another one, or none."""

    def edit(sheet: Any) -> None:
        sheet["B2"].fill = PatternFill("solid", fgColor="00FF00")
        sheet["C2"].fill = PatternFill("solid", fgColor="00FF00")

    report_on(make_workbook(tmp_path, edit), [wrong(2), wrong(3)])
    file = relocated(tmp_path)
    mark = f'(<fgColor rgb="{FILL}" ?/>)<bgColor [^>]*>'
    edit_xml(file, "xl/styles.xml", mark, r'\1<bgColor rgb="FFF8CBAD"/>')
    edit_xml(file, "docProps/app.xml", "<Application>[^<]*", "<Application>LibreOffice/7.4$Linux LibreOffice_project/4")

    both(file, [told(2), told(3)])
    sheet = report_on(file, [told(2), told(3)])["Invoices"]
    assert [sheet[cell].fill.patternType for cell in ("C2", "C3")] == [None, None]
    assert sheet["B2"].fill.fgColor.rgb == "0000FF00"
