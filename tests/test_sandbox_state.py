"""A sandbox's state that cannot be used keeps a run from starting, and `sandbox reset` makes a damaged one anew."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from end_to_end import command, invoice_rows, make_project, run_here

from importer.sandbox import inspect


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that was run."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    assert run_here(project).code == 0
    return project


def rubbish(state: Path) -> None:
    state.write_bytes(b"no database " * 1000)


def tail_gone(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:5000])


def page_gone(state: Path) -> None:
    """Leave of the first page only what tells a database."""
    whole = state.read_bytes()
    state.write_bytes(whole[:100] + b"\xff" * 3996 + whole[4096:])


def tables_gone(state: Path) -> None:
    with closing(sqlite3.connect(state)) as db:
        for name in ("meta", "documents", "actions", "tokens", "jobs"):
            db.execute(f"DROP TABLE {name}")


@pytest.mark.parametrize("damage", [rubbish, tail_gone, page_gone, tables_gone], ids=lambda damage: damage.__name__)
def test_a_damaged_sandbox_is_said_and_made_anew_by_reset(project: Path, damage: Callable[[Path], None]) -> None:
    """The run does not start, and names the way out; after it the run sends everything to another company."""
    damage(project / ".visma-import" / "sandbox" / "sandbox.db")
    refused = run_here(project)
    emptied = command("sandbox", "reset", cwd=project)
    again = run_here(project)

    assert refused.code == 3, refused.stderr
    assert "sandbox.db' is damaged" in refused.stderr
    assert "sandbox reset" in refused.stderr
    assert emptied[0] == 0, emptied[2]
    assert (again.code, again.counts) == (0, {"accepted": 2})
    assert inspect.writes(project / ".visma-import" / "sandbox") == 2


@pytest.mark.parametrize("arguments", [("run", "mapping.yaml"), ("doctor",), ("sandbox",), ("sandbox", "reset")])
def test_a_sandbox_that_cannot_be_written_is_said(project: Path, arguments: tuple[str, ...]) -> None:
    """With the file, why, and what to do; a folder stands in its place here, which reset leaves alone."""
    state = project / ".visma-import" / "sandbox" / "sandbox.db"
    state.unlink()
    state.mkdir()
    code, out, error = command(*arguments, cwd=project)

    assert code == 3, out + error
    assert "sandbox.db' cannot be written" in error
    assert "run again" in error
    assert state.is_dir()
