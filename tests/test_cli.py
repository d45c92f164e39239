"""The command line says what it is for, fails in one sentence, and lets no cell speak to the terminal."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from end_to_end import (
    MAPPING,
    ROOT,
    command,
    copy_sample,
    environment,
    invoice_rows,
    make_project,
    program,
    program_here,
    references,
    run_here,
    write_workbook,
)

from importer.sandbox import inspect

COMMANDS = ("check", "run", "report", "history", "endpoints", "sandbox")
#: Runs the program with every socket and database refused; prints what was tried.
REFUSING = """\
import sys
def refuse(event, arguments):
    if event in {"socket.__new__", "sqlite3.connect"}:
        print("OPENED", event, file=sys.stderr)
        raise RuntimeError(event)
sys.addaudithook(refuse)
from importer.__main__ import main
main()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", invoice_rows(3))


def test_help_lists_every_command() -> None:
    """Each with what it does; --version says one."""
    code, said, _ = command("--help", cwd=ROOT)

    assert code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in said
        assert command(name, "--help", cwd=ROOT)[0] == 0
    assert command("--version", cwd=ROOT)[0] == 0


def test_endpoints_lists_and_explains(project: Path) -> None:
    """The list names each endpoint; with a name come its fields, and a wrong name gets a suggestion."""
    listed = command("endpoints", cwd=project)[1]
    names = [entry["name"] for entry in json.loads(command("endpoints", "--json", cwd=project)[1])]
    explained = command("endpoints", "customerInvoice.create", cwd=project)[1]
    code, _, error = command("endpoints", "customerInvoice.creat", cwd=project)

    assert {"customer.create", "customerInvoice.create", "customerCreditNote.create"} <= set(names)
    assert all(name in listed for name in names)
    assert "externalReference" in explained
    assert (code, "'customerInvoice.create'" in error or "customerInvoice.create" in error) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "mapping.yaml", "--param", "period"), 2, "NAME=VALUE"),
        (("run", "mapping.yaml", "--param", "period=2025-01"), 2, "period"),
        (("run", "mapping.yaml", "--param", "a=1", "--param", "a=2"), 2, "twice"),
        (("run", "mapping.yaml", "--unheard-of"), 2, "--unheard-of"),
        (("run", "mapping.yaml", "--limit", "0"), 2, "--limit"),
        (("run", "mapping.yaml", "--only", "F9999"), 2, "'F9999'"),
        (("run",), 2, "MAPPING"),
        (("unheard-of",), 2, "unheard-of"),
        (("run", "missing.yaml"), 3, "missing.yaml"),
        (("check", "missing.yaml"), 3, "missing.yaml"),
        (("run", "mapping.yaml", "missing.xlsx"), 3, "missing.xlsx"),
        (("run", "bad.yaml"), 3, "bad.yaml"),
        (("run", "broken.yaml"), 3, "broken.yaml"),
        (("run", "folder"), 3, "folder"),
        (("run", "mapping.yaml", "folder"), 3, "folder"),
        (("run", "mapping.yaml", "mapping.yaml"), 3, "mapping.yaml"),
        (("run", "mapping.yaml", "cut.xlsx"), 3, "cut.xlsx"),
        (("run", "mapping.yaml", "--journal", "folder"), 3, "--journal"),
        (("run", "mapping.yaml", "--target", "production"), 3, "'production'"),
        (("check", "mapping.yaml", "--report", "mapping.yaml/report"), 3, "mapping.yaml"),
        (("report",), 3, "journal"),
        (("history",), 3, "journal"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    project: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    """The exit code tells usage (2) from what could not start (3); no traceback, no bug, nothing sent."""
    (project / "bad.yaml").write_text(MAPPING.replace("endpoint:", "endpont:"), encoding="utf-8")
    (project / "broken.yaml").write_text("version: [1\nname: {", encoding="utf-8")
    (project / "folder").mkdir()
    (project / "cut.xlsx").write_bytes((project / "invoices.xlsx").read_bytes()[:1500])
    got, out, error = command(*arguments, cwd=project)

    assert got == code, out + error
    assert says in error
    assert "Traceback" not in out + error
    assert "bug" not in out + error
    assert inspect.writes(project / ".visma-import" / "sandbox") == 0
    assert not (project / "reports").exists()


def test_debug_shows_where_a_failure_came_from(project: Path) -> None:
    """With --debug there is a traceback, and the same exit code."""
    code, _, error = command("check", "missing.yaml", "--debug", cwd=project)

    assert (code, "Traceback" in error, "missing.yaml" in error) == (3, True, True)


def test_a_failure_is_json_with_json(project: Path) -> None:
    """Programs read the mistakes of a mapping with their places."""
    (project / "bad.yaml").write_text(MAPPING.replace("endpoint:", "endpont:"), encoding="utf-8")
    code, out, _ = command("check", "bad.yaml", "--json", cwd=project)
    data = json.loads(out)

    assert (code, data["exit_code"], data["problems"]) == (3, 3, [])
    assert {error["line"] for error in data["errors"]} & {3}


def test_with_mistakes_shows_every_kind_of_problem_at_once(tmp_path: Path) -> None:
    """At least 15 kinds in one pass, each with sheet, row, column, value and message; exit 3."""
    project = copy_sample("with-mistakes", tmp_path)
    code, out, _ = command("check", "mapping.yaml", "--json", cwd=project)
    problems = json.loads(out)["problems"]
    placed = [problem for problem in problems if problem["row"] is not None]
    told = command("check", "mapping.yaml", cwd=project)

    assert (code, told[0]) == (3, 3)
    assert len({problem["code"] for problem in placed}) >= 15
    for problem in problems:
        assert problem["sheet"]
        assert problem["message"].endswith((".", "...", ")", ":")) or problem["message"]
        assert problem["message"] in told[1].replace("\n", " ") or problem["message"] in told[1]
    assert all(problem["column"] or problem["code"] for problem in placed)
    assert not (project / ".visma-import").exists()


@pytest.mark.parametrize("name", ["with-mistakes", "invoices"])
def test_check_opens_neither_socket_nor_database(tmp_path: Path, name: str) -> None:
    """Proven in a process where both are refused; `run` shows that the refusal bites."""
    project = copy_sample(name, tmp_path)

    def refusing(what: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", REFUSING, what, "mapping.yaml"],
            cwd=project,
            env=environment(project),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    checked, ran = refusing("check"), refusing("run")

    assert "OPENED" not in checked.stderr
    assert checked.returncode == (3 if name == "with-mistakes" else 0)
    if name == "invoices":
        assert "OPENED" in ran.stderr
        assert ran.returncode == 1


def test_a_report_that_cannot_be_written_does_not_hide_how_the_run_ended(project: Path) -> None:
    """The documents are sent and journaled; the message says how to write the report later."""
    code, out, error = command("run", "mapping.yaml", "--report", "mapping.yaml/report", cwd=project)
    again, _, later = command("report", "--report", "elsewhere", cwd=project)

    assert "bug" not in out + error
    assert "could not be written" in out + error
    assert "visma-import report" in out + error
    assert "Report: " not in out + error
    assert code == 0
    assert (again, (project / "elsewhere" / "results.xlsx").exists()) == (0, True), later


@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_a_closed_pipe_neither_stops_a_run_nor_hides_its_end(tmp_path: Path, stream: str) -> None:
    """`run | head` sends everything, writes the report, and keeps its exit code."""
    rows = invoice_rows(60)
    project = make_project(tmp_path / "project", [(rows[0][0], "98765", *rows[0][2:]), *rows[1:]])
    reading, writing = os.pipe()
    os.close(reading)
    with (project / "other.txt").open("w") as other:
        process = subprocess.run(
            [sys.executable, "-m", "importer", "run", "mapping.yaml"],
            cwd=project,
            env=environment(project),
            stdout=other if stream == "stderr" else writing,
            stderr=other if stream == "stdout" else writing,
            timeout=60,
            check=False,
        )
    os.close(writing)
    last = run_here(project)

    assert "Traceback" not in (project / "other.txt").read_text()
    assert process.returncode == 4
    assert last.counts.get("already_accepted") == 59
    assert len(list((project / "reports").glob("*/results.json"))) == 2


def test_a_terminal_that_knows_no_letters_does_not_stop_a_run(tmp_path: Path) -> None:
    """On an ASCII output the names lose letters, but documents go out and the exit code holds."""
    rows = invoice_rows(2)
    project = make_project(tmp_path / "project", [("Bjørnøya-1", *rows[0][1:]), ("Ål-2", "98765", *rows[1][2:])])
    done = program("run", "mapping.yaml", cwd=project, PYTHONIOENCODING="ascii")
    checked = program(
        "check", str(copy_sample("with-mistakes", tmp_path) / "mapping.yaml"), cwd=tmp_path, PYTHONIOENCODING="ascii"
    )

    assert (done.returncode, checked.returncode) == (4, 3), done.stderr + checked.stderr
    assert references(inspect.documents(project / ".visma-import" / "sandbox", "customerInvoice")) == ["Bjørnøya-1"]


def test_what_people_read_fits_into_80_columns(tmp_path: Path) -> None:
    """The summary of a run and the history need no wider terminal."""
    rows = invoice_rows(30)
    project = make_project(tmp_path / "project", [(rows[0][0], "98765", *rows[0][2:]), *rows[1:]])
    first = run_here(project)
    write_workbook(project / "invoices.xlsx", [(*row[:4], 7, row[5]) for row in rows])
    run_here(project, "--limit", "20")
    told = program_here("history", cwd=project).stdout
    table = first.stdout[first.stdout.index("status") :].partition("\nReport:")[0]

    assert "accepted" in table
    assert "accepted" in told
    assert [line for line in (table + "\n" + told).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("hostile", ["\x1b[31mred\x1b[0m", "\x9b31mred", "\x07\x08bell", "\u202egnp.exe"])
def test_no_cell_or_header_speaks_to_the_terminal(tmp_path: Path, hostile: str) -> None:
    """Escape sequences of a workbook are shown as text, wherever they stand."""
    header = f"Qty {hostile}"
    mapping = MAPPING.replace("quantity: Qty", f"quantity: {{column: {json.dumps(header)}}}")
    project = make_project(tmp_path / "project", [], mapping)
    row = invoice_rows(1)[0]
    headers = ("Invoice no", "Customer", "Date", "Text", "Qty HERE", "Unit price")
    rows = [("F1 HERE", *row[1:4], "HERE", row[5]), ("F1 HERE", "98765", *row[2:]), ("F2", *row[1:3], "HERE", *row[4:])]
    write_workbook(project / "invoices.xlsx", rows, headers)
    put(
        project / "invoices.xlsx",
        "HERE",
        "".join(f"_x{ord(char):04X}_" if ord(char) < 32 else char for char in hostile),
    )
    done = [program_here(*arguments, cwd=project) for arguments in (("check", "mapping.yaml"), ("run", "mapping.yaml"))]
    write_workbook(project / "invoices.xlsx", [("F1 HERE", "98765", *row[2:])], headers)
    put(
        project / "invoices.xlsx",
        "HERE",
        "".join(f"_x{ord(char):04X}_" if ord(char) < 32 else char for char in hostile),
    )
    done += [
        program_here(*arguments, cwd=project) for arguments in (("run", "mapping.yaml"), ("history",), ("report",))
    ]

    for ended in done:
        assert ended.returncode in {0, 3, 4}, ended.stderr
        said = ended.stdout + ended.stderr
        assert [char for char in said if not char.isprintable() and char != "\n"] == []


def put(file: Path, old: str, new: str) -> None:
    """Replace a text in every part of a workbook, as only another program could write it."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert any(old.encode() in data for data in members.values())
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(old.encode(), new.encode()))
    openpyxl.load_workbook(file).close()


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="the file system takes no such name")
def test_a_file_name_that_is_no_text_does_not_break_a_run(project: Path) -> None:
    """A name with stray bytes is shown somehow, in the terminal, the report and the journal."""
    name = os.fsdecode(b"invoices-\xff\x1b[31m.xlsx")
    (project / "invoices.xlsx").rename(project / name)
    # the runs in processes of their own, which are given the name and write it as bytes
    done = [
        (program if arguments[0] == "run" else program_here)(*arguments, cwd=project, PYTHONIOENCODING="utf-8")
        for arguments in (
            ("check", "mapping.yaml", name),
            ("check", "mapping.yaml", name, "--json"),
            ("run", "mapping.yaml", name),
            ("run", "mapping.yaml", name, "--json"),
            ("history",),
            ("history", "--json"),
        )
    ]

    assert [(ended.returncode, ended.stderr[-300:]) for ended in done if ended.returncode] == []
    assert not any("\x1b" in ended.stdout + ended.stderr for ended in done)


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "mapping.yaml"),
        ("run", "mapping.yaml"),
        ("fetch", "customer", "-o", "customers.xlsx"),
        ("doctor",),
        ("sandbox", "reset"),
        ("sandbox",),
        ("journal", "import", "journal.jsonl"),
    ],
    ids=" ".join,
)
def test_a_project_folder_that_cannot_be_written_is_said(project: Path, arguments: tuple[str, ...]) -> None:
    """Each command that needs it names the folder, why and what to do; a file stands in its place here."""
    (project / ".visma-import").write_text("", encoding="utf-8")
    (project / "journal.jsonl").write_text("", encoding="utf-8")
    code, out, error = command(*arguments, cwd=project)

    assert code == 3, out + error
    assert f"The folder {str(project / '.visma-import')!r} cannot be written" in error
    assert "run again" in error


def test_a_file_that_cannot_be_written_is_said_once_without_a_traceback(project: Path) -> None:
    """`fetch` names file, reason and next step; no half-made workbook complains about itself afterwards."""
    code, out, error = command("fetch", "customer", "-o", f"{'x' * 250}.xlsx", cwd=project)

    assert code == 3, out + error
    assert "cannot be written" in error
    assert "Traceback" not in out + error
    assert len(error.splitlines()) == 1


def test_a_report_that_cannot_be_written_again_is_a_failure_of_report(project: Path) -> None:
    """`report` has nothing else to do, so its exit code tells; no folder is named as if the report were there."""
    run_here(project)
    code, out, error = command("report", "--report", "mapping.yaml/report", cwd=project)

    assert code == 3
    assert "could not be written" in out + error
    assert "'mapping.yaml/report'" in out + error
    assert "Report: " not in out + error


def test_the_command_that_puts_back_can_be_copied(tmp_path: Path) -> None:
    """A report's folder whose name a shell would take apart stands in quotes."""
    project = copy_sample("customers-upsert", tmp_path)
    _, out, _ = command("run", "mapping.yaml", "--report", "my reports; first", cwd=project)

    assert "visma-import run 'my reports; first/replaced.mapping.yaml'" in " ".join(out.split())
