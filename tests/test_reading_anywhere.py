"""The same sheet becomes the same bytes under any time zone and language of the machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end import SAMPLES, environment
from test_reading_report import CSV_MAPPING, FILES, csv_project

BODIES = """
import locale, sys, time
from contextlib import suppress
from pathlib import Path
from importer.mapping import parameter_values
from importer.mapping_file import read_mapping
from importer.plan import make_plan
from importer.workbook import read

with suppress(locale.Error):
    locale.setlocale(locale.LC_ALL, "")
time.tzset()
for name in sys.argv[1:]:
    mapping = read_mapping(Path(name))
    spec = mapping.workbook
    sheet = read(
        spec.file, sheet=spec.sheet, header_row=spec.header_row, encoding=spec.encoding, delimiter=spec.delimiter
    )
    plan = make_plan(mapping, sheet, parameter_values(mapping, {}))
    sys.stdout.buffer.write(f"{len(plan.documents)} documents, {plan.problems}\\n".encode())
    for document in plan.documents:
        sys.stdout.buffer.write(document.body + b"\\n")
sys.stderr.write(time.strftime("%z ") + locale.localeconv()["decimal_point"])
"""
SURROUNDINGS = (
    {"TZ": "UTC", "LC_ALL": "C"},
    {"TZ": "Asia/Tokyo", "LC_ALL": "C"},
    {"TZ": "America/Los_Angeles", "LC_ALL": "nb_NO.UTF-8"},
    {"TZ": "Europe/Oslo", "LC_ALL": "nb_NO.UTF-8", "LANG": "nb_NO.UTF-8"},
    {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    {"TZ": "America/Los_Angeles", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)


@pytest.fixture(scope="module")
def norwegian(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make the Norwegian locale, where the machine has what it is made of; without it the variable alone is set."""
    folder = tmp_path_factory.mktemp("locales")
    maker = shutil.which("localedef")
    if maker is None:
        return {}
    done = subprocess.run(
        [maker, "-i", "nb_NO", "-f", "UTF-8", str(folder / "nb_NO.UTF-8")], capture_output=True, check=False
    )
    return {"LOCPATH": str(folder)} if done.returncode == 0 else {}


def test_c10_c13_bodies_are_the_same_bytes_everywhere(tmp_path: Path, norwegian: dict[str, str]) -> None:
    """C10, C13: samples and workbooks of each format, in Tokyo and Los Angeles, in C and in Norwegian."""
    mappings = [SAMPLES / "invoices" / "mapping.yaml", SAMPLES / "dunning-letters" / "mapping.yaml"]
    for name in ("libreoffice.ods", "libreoffice.xls", "sheetjs.xlsb", "exceljs.xlsx"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(
            f"version: 1\nendpoint: customer.create\nworkbook: {{file: '{FILES / name}'}}\nkey: Fakturanr\n"
            "where: \"{{ row['Kundenr'] != '1E5' }}\"\n"
            "fields: {name: Kunde, number: Fakturanr, corporateId: {column: Løpenr, as: displayed},\n"
            "  accountReference: {template: \"{{ row['Beløp'] }} {{ row['Dato'] }} {{ row['Tidspunkt'] }}\"}}\n",
            encoding="utf-8",
        )
        mappings.append(file)
    mappings.append(csv_project(tmp_path / "csv", "cp1252", ";", CSV_MAPPING) / "mapping.yaml")

    answers = {}
    for more in SURROUNDINGS:
        set_here = {**environment(tmp_path, **more), **norwegian, "PYTHONWARNINGS": "error::ResourceWarning"}
        done = subprocess.run(
            [sys.executable, "-c", BODIES, *map(str, mappings)],
            env=set_here,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-1000:]
        answers[tuple(more.items())] = done.stdout
        if norwegian and "nb_NO" in more["LC_ALL"]:
            assert done.stderr.decode().endswith(","), "the Norwegian locale was not in force"

    assert len(set(answers.values())) == 1
    whole = next(iter(answers.values()))
    assert whole.count(b'"2025-01-27') >= 2
    assert b"2025-12-31T23:59:59" in whole
    assert "Blåbærsyltetøy".encode() in whole
    # one date of the text file is none, and told in the same words everywhere
    assert whole.count(b"documents, ()") == len(mappings) - 1
    assert b"31.02.2025" in whole
