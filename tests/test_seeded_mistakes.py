"""The tests can fail: each mistake that would lose or double a document, made in a copy of the project, is caught."""

import json
from pathlib import Path

import pytest
from filelock import FileLock
from seeded import ASKED, FURTHER, MISTAKES
from seeding import Mistake, copy, outcome_of, table, try_out


@pytest.fixture
def results(shared_folder: Path) -> Path:
    """Return a file that all processes of this session share."""
    return shared_folder / "seeded-mistakes.json"


def note(results: Path, row: tuple[str, str, float, bool]) -> str:
    """Write a result down; return the table where it was the last one."""
    with FileLock(f"{results}.lock"):
        rows = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
        rows.append(row)
        results.write_text(json.dumps(rows), encoding="utf-8")
    order = [mistake.name for mistake in MISTAKES]
    if len(rows) < len(order):
        return ""
    return table(sorted(rows, key=lambda row: order.index(row[0])), frozenset(order[: len(ASKED)]))


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name.replace(" ", "-") for mistake in MISTAKES])
def test_a_seeded_mistake_is_caught(mistake: Mistake, results: Path) -> None:
    """A test fails over it, and not because the program cannot run at all; the last one prints the counts."""
    found = try_out(mistake)

    told = note(results, (mistake.name, found.by, found.seconds, found.caught))
    for line in told.splitlines()[-2:]:
        print(f"measured: {line}")
    assert found.caught, f"{mistake.name} ({found.broken}):\n{found.output}"


def test_without_a_mistake_the_same_tests_pass() -> None:
    """What catches the mistakes is not something that fails anyway; the program tested is the copy's own."""
    chosen = dict.fromkeys(mistake.test for mistake in MISTAKES)
    with copy() as place:
        found = outcome_of(place, chosen)

        assert found.program == str(place / "importer" / "__init__.py")

    assert found.code == 0, found.output
    assert "skipped" not in found.counts


def test_the_mistakes_are_the_twelve_that_were_asked_for_and_further_ones() -> None:
    """Each has its own name, and none changes anything but the program."""
    names = [mistake.name for mistake in (*ASKED, *FURTHER)]

    assert len(ASKED) == 12
    assert len(names) == len(set(names))
    assert all(edit.file.startswith("importer/") for mistake in MISTAKES for edit in mistake.edits)
