"""No command writes its result over what it reads, over a journal or over what somebody may have edited."""

import shutil
from pathlib import Path

import pytest
from end_to_end import MAPPING, command, invoice_rows, make_project, run_here

from importer.cli.outputs import refuse_losing

INIT = ("init", "invoices.xlsx", "--endpoint", "customerInvoice.create", "--force", "-o")
PLAN = ("plan", "mapping.yaml", "-o")
OWN = ".visma-import/journal.db"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that was run, with everything beside its mapping that a mapping can have there."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    run_here(project)
    shutil.copy(project / OWN, project / "other.db")
    (project / "targets.yaml").write_text(
        "test:\n  tenant_id: 11111111-2222-3333-4444-555555555555\n  client_id: somebody\n"
        "  client_secret: {env: NOWHERE}\n",
        encoding="utf-8",
    )
    (project / "mapping.test.yaml").write_text("version: 1\ntests: []\n", encoding="utf-8")
    (project / "body.json").write_text('{"referenceNumber": {{ document.referenceNumber }}}', encoding="utf-8")
    (project / "part.j2").write_text("{}", encoding="utf-8")
    (project / "own.yaml").write_text(f"{MAPPING}template: body.json\n", encoding="utf-8")
    return project


def contents(project: Path) -> dict[str, bytes]:
    return {str(file.relative_to(project)): file.read_bytes() for file in project.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        (*INIT, "invoices.xlsx"),
        (*INIT, "../project/invoices.xlsx"),
        (*INIT, OWN),
        (*INIT, "other.db"),
        ("journal", "export", OWN),
        ("journal", "export", "other.db", "--journal", "other.db"),
        ("journal", "export", "other.db"),
        ("journal", "export", ".visma-import/sandbox/sandbox.db"),
        *((*PLAN, name) for name in (OWN, "targets.yaml", "causes.yaml", "mapping.test.yaml", "part.j2", "own.yaml")),
        ("plan", "own.yaml", "-o", "body.json"),
        ("plan", "mapping.yaml", "-o", "fresh.plan", "-o", "mapping.yaml"),
        ("fetch", "customer", "-o", "invoices.xlsx"),
        ("fetch", "customer", "-o", ".visma-import/sandbox/customers.jsonl"),
        ("workbook", "mapping.yaml", "--force", "-o", ".visma-import/workbooks/mine.xlsx"),
    ],
    ids=" ".join,
)
def test_no_result_takes_the_place_of_what_is_read_or_remembered(project: Path, arguments: tuple[str, ...]) -> None:
    """Every file stays as it is, with --force too; the command says which one it was asked to replace."""
    before = contents(project)
    code, out, error = command(*arguments, cwd=project)

    assert code in {2, 3}, out + error
    assert repr(arguments[-1]) in error or arguments[-1] in error
    assert "Traceback" not in error
    assert contents(project) == before


@pytest.mark.parametrize("name", ["journal.jsonl", ".visma-import/journal.jsonl"])
def test_a_journal_is_exported_over_an_earlier_export(project: Path, name: str) -> None:
    """A job writes the same file each time, also into the folder that only its owner can read."""
    assert command("journal", "export", name, cwd=project)[0] == 0
    assert command("journal", "export", name, cwd=project)[0] == 0
    assert (project / name).read_text(encoding="utf-8").startswith('{"journal"')


def test_a_workbook_is_not_overwritten_by_fetch_unasked(project: Path) -> None:
    """It may be what the next import is made of: exit code 2; --force overwrites it. Others are replaced."""
    names = ("listed.xlsx", "listed.csv", "listed.jsonl")
    for name in names:
        (project / name).write_text("mine", encoding="utf-8")
    ended = {
        name: [command("fetch", "customer", "-o", name, *force, cwd=project)[0] for force in ((), ("--force",))]
        for name in names
    }

    assert ended == {"listed.xlsx": [2, 0], "listed.csv": [0, 0], "listed.jsonl": [0, 0]}
    assert b"mine" not in {(project / name).read_bytes() for name in ended}


def test_what_was_fetched_is_fetched_again_into_the_same_file(project: Path) -> None:
    """A job lists the same every month, and nobody is there to say --force."""
    assert [command("fetch", "customer", "-o", "listed.xlsx", cwd=project)[0] for _ in range(2)] == [0, 0]


def test_another_name_of_the_same_file_is_the_same_file(tmp_path: Path) -> None:
    """A link to a workbook is no other file."""
    (tmp_path / "a.xlsx").write_bytes(b"rows")
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "a.xlsx")

    refuse_losing(tmp_path / "b.xlsx", [tmp_path / "a.xlsx"])
    with pytest.raises(Exception, match="Name another file"):
        refuse_losing(tmp_path / "link.xlsx", [tmp_path / "a.xlsx"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", ".", "--endpoint", "customerInvoice.create"),
        ("init", "/", "--endpoint", "customerInvoice.create"),
        (*INIT, "."),
        (*INIT, "/"),
        ("plan", "mapping.yaml", "-o", "."),
        ("journal", "export", "."),
        ("journal", "export", ".."),
        ("journal", "export", "/"),
    ],
    ids=" ".join,
)
def test_a_folder_is_no_file(project: Path, arguments: tuple[str, ...]) -> None:
    """Also one without a name of its own: one sentence and exit code 3, no bug."""
    before = contents(project)
    code, out, error = command(*arguments, cwd=project)

    assert code == 3, out + error
    assert "bug" not in error
    assert len(error.splitlines()) == 1
    assert contents(project) == before
