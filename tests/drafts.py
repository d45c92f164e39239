"""Draft mappings as a user does, and return what came of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from end_to_end import command

from importer.yamlfile import load

INVOICE = "customerInvoice.create"
DAY = date(2025, 1, 27)


@dataclass(frozen=True)
class Drafted:
    """What one `init` left."""

    code: int
    file: Path
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Return the draft."""
        return self.file.read_text(encoding="utf-8")

    @property
    def data(self) -> Any:
        """Return the draft's sure lines as the program reads them."""
        return load(self.file).data

    def line(self, part: str) -> str:
        """Return the one line of the draft that holds a text."""
        (found,) = [line for line in self.text.splitlines() if part in line]
        return found.strip()


def init(workbook: Path, endpoint: str = INVOICE, *options: str) -> Drafted:
    """Draft a mapping beside a workbook, in this process."""
    code, stdout, stderr = command("init", workbook, "--endpoint", endpoint, *options, cwd=workbook.parent)
    return Drafted(code, workbook.with_name(f"{workbook.stem}.mapping.yaml"), stdout, stderr)


def invoices(*columns: tuple[str, Sequence[Any]]) -> list[list[Any]]:
    """Return rows of invoices with number and customer, and further columns given by header and cells."""
    count = len(columns[0][1])
    heads = ["Fakturanr", "Kundenr", *(header for header, _ in columns)]
    return [heads, *([f"F{n:03}", "10001", *(cells[n] for _, cells in columns)] for n in range(count))]


def below(*above: list[Any]) -> list[list[Any]]:
    """Return invoices below other rows."""
    return [*above, *invoices(("Dato", [DAY] * 4), ("Beskrivelse", ["Kaffe"] * 4), ("Antall", [1, 2, 3, 4]))]


def told(workbook: Path, endpoint: str) -> dict[str, Any]:
    """Return what `init --json` says."""
    done = init(workbook, endpoint, "--json", "--force")
    assert done.code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
