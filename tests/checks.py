"""What the tests of `check` share: rows with and without mistakes, and what it prints for programs."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
from end_to_end import (
    ROOT,
    command,
)

SCHEMA = json.loads((ROOT / "schemas" / "check.schema.json").read_text(encoding="utf-8"))
DAY = date(2025, 1, 27)


def row(
    key: str, *, customer: Any = "10000", day: Any = DAY, text: Any = "Kaffe", qty: Any = 2, price: Any = 10
) -> Any:
    """Return one row of the sheet Invoices."""
    return (key, customer, day, text, qty, price)


def good(count: int, first: int = 1) -> list[Any]:
    """Return rows without a mistake, each its own document."""
    return [row(f"F{number:03}") for number in range(first, first + count)]


def check_json(project: Path, *more: str) -> Any:
    """Return what `check --json` prints, held against its schema."""
    code, out, _ = command("check", "mapping.yaml", "--json", *more, cwd=project)
    data = json.loads(out)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert data["exit_code"] == code
    return data
