"""README's tutorial, run as it stands there: from a workbook never seen before to an accepted import."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from end_to_end import ROOT, copy_sample, environment

from importer.sandbox import inspect

SAMPLE = "from-scratch"
PRICES = {Decimal("189.90"), Decimal("318.75"), Decimal(1150), Decimal(12490)}


@cache
def section(mark: str) -> str:
    """Return what README fences between `<!-- mark -->` and `<!-- end -->`; empty until it stands there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {mark} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    return re.sub(r"(?m)^```.*\n", "", found[1]) if found else ""


@dataclass(frozen=True)
class Followed:
    """What is left when somebody has followed the tutorial."""

    code: int
    said: str
    project: Path

    @property
    def results(self) -> dict[str, Any]:
        """Return the results.json of the run."""
        (file,) = self.project.glob("reports/*/results.json")
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


needs_tutorial = pytest.mark.skipif(not section("tutorial"), reason="README.md has no tutorial yet")


def installed(folder: Path) -> None:
    """Put the program into a folder as README installs it."""
    program = folder / ".venv" / "bin" / "visma-import"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m importer "$@"\n', encoding="utf-8")
    program.chmod(0o755)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Run the tutorial's commands in a folder that holds the sample and an installed program."""
    folder = tmp_path_factory.mktemp("tutorial")
    project = copy_sample(SAMPLE, folder / "samples")
    for left_over in project.glob("*.mapping.yaml*"):
        left_over.unlink()
    installed(folder)
    (folder / "tutorial.sh").write_text(section("tutorial"), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-e", "tutorial.sh"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
    return Followed(done.returncode, done.stdout, project)


@needs_tutorial
def test_every_document_of_the_tutorial_is_accepted(followed: Followed) -> None:
    """Nothing is invalid or rejected; what is left out is the totals row and the blank one above it."""
    counts = {name: count for name, count in followed.results["counts"].items() if count["documents"]}

    assert followed.code == 0, followed.said
    assert counts == {"accepted": {"documents": 7, "rows": 12}, "filtered": {"documents": 2, "rows": 2}}
    assert followed.results["totals"][0]["sum"] == "44355.25"


@needs_tutorial
def test_the_tutorial_makes_two_edits_and_both_arrive(followed: Followed) -> None:
    """The zeros that Excel took are back, and the rates are codes; an edit that meets nothing would be seen here."""
    held = inspect.documents(followed.project / ".visma-import" / "sandbox", "customerInvoice")
    lines = [line for document in held for line in document["body"]["invoiceLines"]]

    assert len(re.findall(r"(?m)^sed ", section("tutorial"))) == 2
    assert {line["inventoryNumber"]["value"] for line in lines} == {"00120", "00135", "02040", "10450"}
    assert {line["vatCodeId"]["value"] for line in lines} == {"31", "3"}
    assert {line["unitPriceInCurrency"]["value"] for line in lines} == PRICES
    assert {document["body"]["documentDate"]["value"][:7] for document in held} == {"2025-01"}


@needs_tutorial
def test_the_transcript_is_what_the_commands_say(followed: Followed) -> None:
    """Each line that README shows is said, in that order; `...` stands for what is another each time."""
    wanted = [line.strip() for line in section("transcript").splitlines() if line.strip() and not line.startswith("$ ")]
    said = re.sub(r"\s+", " ", followed.said)
    spot = 0

    assert wanted
    for line in wanted:
        pattern = ".*?".join(re.escape(re.sub(r"\s+", " ", part)) for part in line.split("..."))
        found = re.compile(pattern).search(said, spot)
        assert found, f"{line!r} is not said, or not there:\n{followed.said}"
        spot = found.end()


def test_the_tutorials_workbook_is_as_awkward_as_real_ones() -> None:
    """A merged title, headers in row 4, dates and amounts as text, zeros kept and lost, and a totals row."""
    import openpyxl

    sheet = openpyxl.load_workbook(ROOT / "samples" / SAMPLE / "faktura-januar.xlsx").worksheets[0]
    column = {cell.value: cell.column - 1 for cell in sheet[4]}
    rows = [row for row in sheet.iter_rows(min_row=5, values_only=True) if row[1] is not None]

    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:K1"]
    assert sheet["A2"].value is not None
    assert sheet["A3"].value is None
    assert {type(row[column["Fakturadato"]]) for row in rows} == {str}
    assert {type(row[column["Vare nr"]]) for row in rows} == {str, int}
    assert "1 150,00" in {row[column["À-pris (eks. mva)"]] for row in rows}
    assert all(str(row[0]).startswith("000") for row in rows)
    assert sheet.cell(sheet.max_row, 1).value == "Sum"


def test_samples_that_need_others_find_them_in_one_project(tmp_path: Path) -> None:
    """What README says of them runs as it stands there, in the folder of a checkout: the released were there before."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples", ignore=shutil.ignore_patterns(".visma-import", "reports"))
    installed(tmp_path)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", section("samples")],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "release-invoices" in done.stdout
    assert (tmp_path / "trial" / ".visma-import").is_dir()
