"""In a job of GitHub or Azure, mistakes stand at their line of the mapping, and no cell is a command to the runner."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from end_to_end import (
    HEADERS,
    MAPPING,
    copy_sample,
    invoice_rows,
    make_project,
    program,
    program_here,
    write_workbook,
)

DAY = date(2025, 1, 27)
#: What begins a command to the runners, wherever they look for one.
COMMAND = re.compile(r"^\s*::|##\[|##vso\[", re.MULTILINE)


@dataclass(frozen=True)
class Told:
    """Hold one annotation as GitHub's runner reads it."""

    kind: str
    named: dict[str, str]
    text: str


def read(stderr: str) -> list[Told]:
    """Read workflow commands by the rules of GitHub's runner: named parts, then the text, escapes put back."""
    found = []
    for line in stderr.splitlines():
        match = re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line)
        if match:
            parts = dict(part.split("=", 1) for part in match[2].split(","))
            named = {name: put_back(text, "%3A:", "%2C,") for name, text in parts.items()}
            found.append(Told(match[1], named, put_back(match[3])))
        else:
            assert not COMMAND.search(line), line
    return found


def put_back(text: str, *more: str) -> str:
    for escape in (*more, "%0D\r", "%0A\n", "%25%"):
        text = text.replace(escape[:3], escape[3:])
    return text


def told(project: Path, *arguments: str, code: int, **env: str) -> list[Told]:
    """Run the program as a job of GitHub would; return its annotations."""
    done = program_here(*arguments, cwd=project, **{"GITHUB_ACTIONS": "true", **env})
    assert done.returncode == code, done.stderr
    assert not COMMAND.search(done.stdout)
    return read(done.stderr)


def line_of(project: Path, text: str, file: str = "mapping.yaml") -> str:
    """Return the number of the line that begins with a text."""
    lines = (project / file).read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, start=1) if line.strip().startswith(text)]
    return str(number)


def row(key: str, qty: Any = 2, customer: str = "10001", text: str = "Kaffe") -> Any:
    return (key, customer, DAY, text, qty, 10)


def test_a_problem_stands_at_the_rule_that_reads_its_column(tmp_path: Path) -> None:
    """With document, cell, header, value and what to do; those of one cause are one, with the other cells."""
    project = make_project(tmp_path / "p", [row("F1", "two"), row("F2"), row("F3", "ten"), row("F4", "ten")])
    (found,) = told(project, "check", "mapping.yaml", code=3)

    assert found.kind == "error"
    assert found.named == {
        "file": "mapping.yaml",
        "line": line_of(project, "quantity:"),
        "col": "13",
        "title": "Not a number: Qty",
    }
    assert found.text.startswith("Document 'F1', Invoices!E2, column 'Qty': 'two' is not a number")
    assert found.text.endswith(" And 2 more: E4:E5.")
    assert "Correct the cell" in found.text


def test_a_file_is_named_from_the_top_of_the_repository(tmp_path: Path) -> None:
    """GitHub knows it by that alone, wherever in the repository the command was given."""
    project = make_project(tmp_path / "repository" / "months, all" / "p:1", [row("F1", "two")])
    (found,) = told(project, "check", "mapping.yaml", code=3, GITHUB_WORKSPACE=str(tmp_path / "repository"))
    (outside,) = told(project, "check", "mapping.yaml", code=3, GITHUB_WORKSPACE=str(tmp_path / "elsewhere"))

    assert found.named["file"] == "months, all/p:1/mapping.yaml"
    assert outside.named["file"] == "mapping.yaml"


def test_a_mistake_in_the_mapping_stands_at_its_line(tmp_path: Path) -> None:
    """Each with line and column, whichever command found it; also of other files, and without any."""
    project = make_project(tmp_path / "p", [row("F1")], MAPPING.replace("key:", "kez:").replace("  quantity", "  qty"))
    for command in ("check", "plan", "run"):
        found = told(project, command, "mapping.yaml", code=3)
        assert {one.named["line"] for one in found} >= {line_of(project, "kez:"), line_of(project, "qty:")}
        assert all(one.named["file"] == "mapping.yaml" and one.named["col"] for one in found)
    (missing,) = told(project, "check", "none.yaml", code=3)
    (target,) = told(make_project(tmp_path / "q", [row("F1")]), "run", "mapping.yaml", "--target", "x", code=3)

    assert missing.named["file"] == "none.yaml"
    assert set(target.named) == {"title"}
    assert "'x'" in target.text


def test_a_column_that_is_missing_stands_at_the_line_that_names_it(tmp_path: Path) -> None:
    """And a total that differs at the total."""
    mapping = MAPPING.replace("Text", "Txet") + "totals:\n  - {name: Net, sum: Unit price, expect: 51}\n"
    project = make_project(tmp_path / "p", [row("F1")], mapping)
    found = {
        one.named["title"].split(":")[0]: one.named["line"] for one in told(project, "check", "mapping.yaml", code=3)
    }

    assert found["Column not found"] == line_of(project, "description:")
    assert found["Total is not what is expected"] == line_of(project, "- {name: Net")


def test_what_became_of_documents_stands_at_the_key(tmp_path: Path) -> None:
    """Refused, in doubt and changed: key, sheet, rows and the next step; one for each cause."""
    project = make_project(tmp_path / "p", [row("C1"), row("C2")])
    program_here("run", "mapping.yaml", cwd=project)
    rows = [row("C1", 3), row("C2", 3), *(row(f"R{number}", customer="98765") for number in range(3)), row("D1")]
    write_workbook(project / "invoices.xlsx", rows, HEADERS)
    options = ("--workers", "1", "--rehearse", "cut_before@1=POST /v1/customerinvoice")
    found = told(project, "run", "mapping.yaml", *options, code=5)
    kinds = {one.named["title"].split(":")[0]: one for one in found}

    assert {one.kind for one in found} == {"error"}
    assert {one.named["line"] for one in found} == {line_of(project, "key:")}
    assert set(kinds) == {"changed", "rejected", "unknown"}
    assert kinds["changed"].text.startswith("Document 'C1' (Invoices row 2): ")
    assert kinds["changed"].text.endswith(" And 1 more: 'C2'.")
    assert "resolve" in kinds["unknown"].text


def test_ten_of_a_kind_are_told_and_the_last_counts_the_rest(tmp_path: Path) -> None:
    """GitHub shows no more of a step; errors and warnings are counted apart."""
    project = copy_sample("with-mistakes", tmp_path)
    found = told(project, "check", "mapping.yaml", code=3)
    errors = [one for one in found if one.kind == "error"]
    causes = json.loads(program_here("check", "mapping.yaml", "--json", cwd=project).stdout)["causes"]

    assert len(causes) > 10
    assert len(errors) == 10
    assert errors[-1].named["title"] == f"{len(causes) - 9} more causes"
    assert "--report DIR" in errors[-1].text
    assert [one.kind for one in found if one.kind == "warning"]


def test_what_was_allowed_is_a_warning(tmp_path: Path) -> None:
    """A green job has no errors, and hides nothing."""
    project = make_project(tmp_path / "p", [row("F1"), row("F2", customer="98765"), row("F3", "x")])
    found = told(project, "run", "mapping.yaml", "--allow", "rejected=1", "--allow", "invalid=1", code=0)

    assert [one.kind for one in found] == ["warning", "warning"]


def test_a_plan_tells_what_keeps_documents_from_going_out(tmp_path: Path) -> None:
    """Problems, and what a person has to decide; what would be sent is no remark."""
    project = make_project(tmp_path / "p", [row("C1")])
    program_here("run", "mapping.yaml", cwd=project)
    write_workbook(project / "invoices.xlsx", [row("C1", 3), row("F2"), row("F3", "x")], HEADERS)
    found = told(project, "plan", "mapping.yaml", code=3)

    assert sorted(one.named["title"].split(":")[0] for one in found) == ["Not a number", "changed"]


@pytest.mark.parametrize("option", [("--json",), ("--quiet",)])
def test_stdout_is_the_same_with_annotations(tmp_path: Path, option: tuple[str, ...]) -> None:
    """They go to stderr, so that a program reads what it always read."""
    project = make_project(tmp_path / "p", [row("F1", "x")])
    with_them = program_here("check", "mapping.yaml", *option, cwd=project, GITHUB_ACTIONS="true")
    without = program_here("check", "mapping.yaml", *option, cwd=project)

    assert with_them.stdout == without.stdout
    assert (len(read(with_them.stderr)), without.stderr) == (1, "")


@pytest.mark.parametrize(
    ("options", "env", "begins"),
    [
        ((), {}, []),
        (("--annotations", "github"), {}, ["::error"]),
        (("--annotations", "none"), {"GITHUB_ACTIONS": "true"}, []),
        ((), {"GITHUB_ACTIONS": "true", "VISMA_IMPORT_ANNOTATIONS": "none"}, []),
        ((), {"GITHUB_ACTIONS": "false"}, []),
        ((), {"TF_BUILD": "True"}, ["##vso[task.logissue type=error;"]),
        (("--annotations=azure",), {}, ["##vso[task.logissue type=error;"]),
    ],
)
def test_the_service_is_known_by_the_environment_or_named(
    tmp_path: Path, options: tuple[str, ...], env: dict[str, str], begins: list[str]
) -> None:
    """Elsewhere nothing is written; the option comes first, for problems as for mistakes in the mapping."""
    project = make_project(tmp_path / "p", [row("F1", "x")])
    (project / "bad.yaml").write_text(MAPPING.replace("key:", "kez:"), encoding="utf-8")
    for name in ("mapping.yaml", "bad.yaml"):
        stderr = program_here("check", name, *options, cwd=project, **env).stderr
        lines = [line for line in stderr.splitlines() if COMMAND.match(line)]
        assert bool(lines) == bool(begins)
        assert all(line.startswith(begins[0]) for line in lines)


def test_azure_is_told_in_its_own_words(tmp_path: Path) -> None:
    """File, line and column, a text with its escapes; a run's summary is handed up."""
    project = make_project(tmp_path / "p", [row("F1"), row("F2", "x % ;]\n", customer="98765")])
    done = program("run", "mapping.yaml", "--skip-invalid", "--report", "r", cwd=project, TF_BUILD="True")
    issue, upload = [line for line in done.stderr.splitlines() if line.startswith("##vso[")]

    assert issue.startswith(
        f"##vso[task.logissue type=error;sourcepath=mapping.yaml;linenumber={line_of(project, 'quantity:')};"
        "columnnumber=13]Not a number: Qty: Document 'F2', Invoices!E3, column 'Qty': 'x %AZP25 ;]\\n' is not"
    )
    assert upload == f"##vso[task.uploadsummary]{project / 'r' / 'summary.md'}"


HOSTILE = (
    "::set-output name=x::y",
    "  ::add-mask::kr",
    "a\n::error::b",
    "a\r::error::b",
    "##[add-path]/tmp/evil",
    "###[group]x",
    "x ##vso[task.setvariable variable=PATH]evil",
    "100 %0A::stop-commands::x",
    "\u00a0::debug::x",
)


def strings(data: Any) -> Iterable[str]:
    """Yield every text in what JSON held."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list | dict):
        for inner in data.values() if isinstance(data, dict) else data:
            yield from strings(inner)


@pytest.mark.parametrize("service", [{"GITHUB_ACTIONS": "true"}, {"TF_BUILD": "True"}])
def test_no_cell_or_header_is_a_command_to_the_runner(tmp_path: Path, service: dict[str, str]) -> None:
    """Whichever command prints it, on whichever stream; JSON holds it unchanged."""
    header = " ".join(" ".join(HOSTILE).split())
    mapping = MAPPING.replace("quantity: Qty", f"quantity: {{column: {json.dumps(header)}}}").replace(
        "name: invoices", f"name: {json.dumps(header)}"
    )
    project = make_project(tmp_path / "p", [], mapping)
    headers = ("Invoice no", "Customer", "Date", "Text", header, "Unit price")
    rows = [
        one
        for text in HOSTILE
        for one in (row(f"{text}1", text), row(f"{text}2", 2, "98765"), row(f"{text}3", 2, text))
    ]
    write_workbook(project / "invoices.xlsx", rows, headers)
    done = [
        program_here(*arguments, cwd=project, **service)
        for arguments in (
            ("check", "mapping.yaml"),
            ("check", "mapping.yaml", "--json"),
            ("plan", "mapping.yaml"),
            ("run", "mapping.yaml", "--skip-invalid"),
            ("run", "mapping.yaml", "--skip-invalid", "--json"),
            ("report",),
            ("history",),
            ("history", "--json"),
            ("run", "mapping.yaml", "--only", HOSTILE[0]),
        )
    ]
    held = set(strings(json.loads(done[1].stdout)))

    assert [ended.returncode for ended in done] == [3, 3, 3, 4, 4, 0, 0, 0, 2]
    for ended in done:
        assert not COMMAND.search(ended.stdout), ended.stdout
        ours = [
            line
            for line in ended.stderr.splitlines()
            if re.match(r"::(error|warning) |##vso\[task\.(logissue |uploadsummary\])", line)
        ]
        rest = [line for line in ended.stderr.splitlines() if line not in ours]
        assert not COMMAND.search("\n".join(rest))
        assert bool(ours) == (ended not in done[5:8])
    assert {" ".join(text.split()) for text in HOSTILE} <= {" ".join(text.split()) for text in held}
    assert header in held


def test_elsewhere_cells_are_printed_as_they_are(tmp_path: Path) -> None:
    """The space that keeps a text from being a command is put in for runners alone."""
    project = make_project(tmp_path / "p", [("##[group]", *invoice_rows(1)[0][1:4], "x", 1)])

    assert "##[group]" in program_here("plan", "mapping.yaml", cwd=project).stdout
    assert "# #[group]" in program_here("plan", "mapping.yaml", cwd=project, GITHUB_ACTIONS="true").stdout
