"""What the tests of mapping tests share: a project with a mapping and files of tests, and the command over them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from end_to_end import MAPPING, ROOT, command
from jsonschema import Draft7Validator

RESULTS_SCHEMA = json.loads((ROOT / "schemas" / "test-results.schema.json").read_text(encoding="utf-8"))
#: One row of the mapping that `end_to_end` shares, and the body that comes of it.
ROW = '{Invoice no: F1, Customer: "00042", Date: 2025-01-27, Text: Kaffe, Qty: 2, Unit price: 19.90}'
BODY = """\
customerNumber: {value: "00042"}
externalReference: {value: F1}
documentDate: {value: 2025-01-27}
invoiceLines:
  - operation: Insert
    description: {value: Kaffe}
    quantity: {value: 2}
    unitPriceInCurrency: {value: 19.90}
"""


def indented(text: str, spaces: int) -> str:
    """Move every line of a text to the right."""
    return "".join(f"{' ' * spaces}{line}\n" for line in text.splitlines())


def case(*rows: str, expect: str, name: str = "a test", more: str = "") -> str:
    """Write a file of one test: rows in flow style, what is expected as block YAML, and more lines of the test."""
    listed = "".join(f"      - {row}\n" for row in rows)
    return (
        f"version: 1\ntests:\n  - name: {name}\n    rows:\n{listed}    expect:\n{indented(expect, 6)}"
        f"{indented(more, 4)}"
    )


def good(body: str = BODY, *, row: str = ROW, key: str = "F1", name: str = "a test") -> str:
    """Write a file of one test that expects one body."""
    return case(row, expect=f"- key: {key}\n  body:\n{indented(body, 4)}", name=name)


@dataclass(frozen=True)
class Tested:
    """Hold what `test --json` said, which its schema allows, and what it says to people."""

    code: int
    data: dict[str, Any]
    said: str

    @cached_property
    def failures(self) -> list[dict[str, Any]]:
        """Return the failures of all tests."""
        return [found for file in self.data["files"] for test in file["tests"] for found in test["failures"]]

    @property
    def failure(self) -> dict[str, Any]:
        """Return the only failure."""
        (found,) = self.failures
        return found

    @property
    def error(self) -> dict[str, Any]:
        """Return the only thing that could not be read."""
        (found,) = self.data["errors"]
        return found


def outcome(folder: Path, *arguments: str | Path) -> Tested:
    """Run the command twice, for people and for programs: both end alike and leave nothing in the folder."""
    before = sorted(folder.rglob("*"))
    code, said, stderr = command("test", *arguments, cwd=folder)
    again, stdout, _ = command("test", "--json", *arguments, cwd=folder)
    data = json.loads(stdout)
    assert list(Draft7Validator(RESULTS_SCHEMA).iter_errors(data)) == []
    assert code == again == data["exit_code"]
    assert stderr == ""
    assert sorted(folder.rglob("*")) == before
    return Tested(code, data, said)


def run(folder: Path, tests: str, mapping: str = MAPPING) -> Tested:
    """Write a mapping and a file of tests beside it, and run them."""
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (folder / "mapping.test.yaml").write_text(tests, encoding="utf-8")
    return outcome(folder)
