"""What the program does where stdin, stdout or stderr is closed, or where what it prints finds no room."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end import environment, invoice_rows, make_project, run_here

from importer.sandbox import inspect

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no disk that is always full")
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes streams by >&-")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", invoice_rows(2))


def shell(project: Path, streams: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Give a command in a process of its own, its streams as a shell opens or closes them."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "importer", *arguments],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_full
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", "mapping.yaml", "--json"), 3),
        (("check", "mapping.yaml"), 3),
        (("endpoints", "--json"), 3),
        (("endpoints",), 3),
        (("--help",), 3),
        (("check", "missing.yaml", "--json"), 3),
        (("run", "mapping.yaml", "--json"), 6),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_whole_for_a_full_disk_does_not_end_with_0(
    project: Path, arguments: tuple[str, ...], code: int
) -> None:
    """It is said once on stderr, with what to do; a run has sent and reported all the same."""
    ended = shell(project, f">{FULL}", *arguments)

    assert ended.returncode == code, ended.stderr
    assert ended.stderr.count("no space left on device. Make room on the disk, then run again.") == 1
    assert not any(word in ended.stderr for word in ("Traceback", "Exception", "bug"))
    if arguments[0] == "run":
        (results,) = (project / "reports").glob("*/results.json")
        assert json.loads(results.read_text(encoding="utf-8"))["exit_code"] == 0
        assert run_here(project).counts.get("already_accepted") == 2


@needs_full
def test_a_run_whose_messages_find_no_room_ends_as_it_ended(project: Path) -> None:
    """Nothing that a program reads is lost with stderr."""
    ended = shell(project, f"2>{FULL}", "run", "mapping.yaml", "--json")

    assert (ended.returncode, json.loads(ended.stdout)["exit_code"]) == (0, 0)


@needs_shell
@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_run_without_a_stream_ends_as_it_ended(project: Path, streams: str) -> None:
    """What would be printed goes nowhere, above all not into the journal, which would get the free number."""
    ended = shell(project, streams, "run", "mapping.yaml")
    again = run_here(project)

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert inspect.writes(project / ".visma-import" / "sandbox") == 2
    assert again.counts.get("already_accepted") == 2, again.stderr


@needs_shell
def test_nobody_can_be_asked_where_stdin_is_closed(project: Path) -> None:
    """A decision wants --yes then; the document stays as it was."""
    run_here(project)
    ended = shell(project, "<&-", "resolve", "--key", "F0001", "--not-there")

    assert ended.returncode == 3
    assert "Say --yes. Nothing was changed." in ended.stderr
