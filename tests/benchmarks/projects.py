"""Make projects of the program for the benchmarks: a workbook, its mapping, a target."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from end_to_end import TARGET, aim
from measuring import Measured, measure_program
from workbook import MAPPING

WORKBOOK = "invoices.xlsx"


def make_project(folder: Path, workbook: Path, address: str | None = None) -> Path:
    """Make a fresh project in a folder, with a copy of the workbook; `address` is where its target is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(workbook, folder / WORKBOOK)
    (folder / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    if address is not None:
        aim(folder, address)
    return folder


def check(project: Path) -> Measured:
    """Check a project's workbook."""
    return measure_program(project, "check", "mapping.yaml", WORKBOOK, "--quiet")


def run(project: Path, workers: int, options: Sequence[str] = ()) -> Measured:
    """Run a project's mapping, with the journal at its own place and settings."""
    given = ["mapping.yaml", WORKBOOK, *TARGET, "--quiet", "--workers", str(workers)]
    return measure_program(project, "run", *given, *options)


def journal_of(project: Path) -> str:
    """Return where a project's journal is."""
    return str(project / ".visma-import" / "journal.db")
