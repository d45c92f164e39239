"""The program starts at once: a command imports what it needs, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end import ROOT, command, environment, invoice_rows, make_project

from importer.model import Status

#: Runs the program; then says, as its last line, which modules were imported.
_TELLING = """\
import sys
from importer.__main__ import main
try:
    main()
finally:
    print(*sys.modules)
"""
#: What libraries bring along that are too slow to be imported for nothing.
_HEAVY = {
    *("asyncio", "email", "http", "logging", "sqlite3", "ssl", "xml", "zipfile", "unittest"),
    *("apsw", "babel", "defusedxml", "filelock", "jinja2", "jsonschema", "oauthlib", "openpyxl", "psutil", "psycopg"),
    *("referencing", "requests", "rich", "sqlalchemy", "urllib3", "xlrd", "yaml"),
}


def imported(*arguments: str, cwd: Path) -> set[str]:
    """Return the names of all modules that a command imported."""
    ran = subprocess.run(
        [sys.executable, "-c", _TELLING, *arguments],
        cwd=cwd,
        env=environment(cwd),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("history", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Neither a library but click, nor a module of this program that decides anything."""
    found = imported(*arguments, cwd=ROOT)

    assert {name.partition(".")[0] for name in found} & _HEAVY == set()
    assert {name for name in found if name.startswith("importer.")} <= {
        *("importer.__main__", "importer.errors", "importer.stop"),
        *(name for name in found if name.startswith("importer.cli")),
    }
    assert found & {"importer.cli.screen", "importer.cli.inputs", "importer.cli.task"} == set()


def test_the_statuses_of_history_are_those_of_documents(tmp_path: Path) -> None:
    """Its help names each status; each may be asked for where there is a journal, and no other word."""
    told = " ".join(command("history", "--help", cwd=ROOT)[1].split())

    assert f"Only runs with such a document: {', '.join(Status)}." in told
    assert [command("history", "--status", status, cwd=tmp_path)[0] for status in Status] == [3] * len(Status)
    assert command("history", "--status", "sent", cwd=tmp_path)[0] == 2


def test_a_check_imports_no_database_and_no_connection(tmp_path: Path) -> None:
    """What a check has no use for costs it nothing."""
    project = make_project(tmp_path / "project", invoice_rows(3))
    found = imported("check", "mapping.yaml", cwd=project)

    unused = {"sqlalchemy", "sqlite3", "requests", "urllib3", "ssl", "oauthlib", "psutil", "asyncio", "babel"}
    assert {name.partition(".")[0] for name in found} & unused == set()
