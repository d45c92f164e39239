"""Make a mistake in a copy of the project, and see whether tests of the copy catch it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import importer

ROOT = Path(__file__).parents[1]
_COPIED = ("importer", "schemas", "templates", "samples", "tests", "pyproject.toml", "README.md")
_FROM = "The program under test: "
#: What a mistake that is no more than broken code would show.
_BROKEN = re.compile(r"\b(?:Syntax|Indentation|Name|UnboundLocal|Attribute|Type|Import|ModuleNotFound)Error\b")
_LONGEST_S = 300
_WIDEST = 110


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace a text, which stands in a file exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """Name a mistake, how it is made, and the test that must fail."""

    name: str
    edits: tuple[Edit, ...]
    test: str


@dataclass(frozen=True, slots=True)
class Found:
    """Say how the tests of a copy ended."""

    code: int
    output: str
    #: the last line, such as "1 failed, 2 passed in 1.23s"
    counts: str
    #: the tests that failed, and why
    failed: tuple[str, ...]
    #: the file of the program that was tested
    program: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Tell whether a test failed, and nothing else went wrong."""
        return self.code == 1 and " failed" in f" {self.counts}" and "error" not in self.counts and not self.broken

    @property
    def broken(self) -> list[str]:
        """Name what shows that the program could not run at all."""
        return sorted(set(_BROKEN.findall(self.output)))

    @property
    def by(self) -> str:
        """Name the test that failed first."""
        return self.failed[0].partition(" - ")[0].removeprefix("tests/") if self.failed else "nothing"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which program was tested; pytest calls this in the copy."""
    terminalreporter.line(_FROM + importer.__file__)


@contextmanager
def copy() -> Iterator[Path]:
    """Copy the project into a temporary folder, with what is compiled already."""
    with tempfile.TemporaryDirectory(prefix="seeded-") as folder:
        place = Path(folder).resolve() / "project"
        place.mkdir()
        for name in _COPIED:
            if (ROOT / name).is_dir():
                passed_over = shutil.ignore_patterns(".visma-import", "reports", "*.pyc.*")
                shutil.copytree(ROOT / name, place / name, ignore=passed_over)
            else:
                shutil.copy2(ROOT / name, place / name)
        yield place


def make(edits: Iterable[Edit], place: Path) -> None:
    """Make a mistake in a copy; a text that is not there exactly once means that the table is out of date."""
    for edit in edits:
        file = place / edit.file
        text = file.read_text(encoding="utf-8")
        found = text.count(edit.old)
        assert found == 1, f"{edit.file} holds this {found} times instead of once; renew tests/seeded.py:\n{edit.old}"
        changed = text.replace(edit.old, edit.new)
        compile(changed, edit.file, "exec")
        file.write_text(changed, encoding="utf-8")
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()


def outcome_of(place: Path, tests: Iterable[str], *more: str) -> Found:
    """Run tests of a copy in a process of their own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(place), str(place / "tests")])
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "seeding", f"--basetemp={place.parent / 'tmp'}"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *more, *tests],
        cwd=place,
        env={**kept, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=_LONGEST_S,
        check=False,
    )
    lines = done.stdout.rstrip().splitlines()
    named = [line.removeprefix(_FROM) for line in lines if line.startswith(_FROM)]
    failed = tuple(line.removeprefix("FAILED ") for line in lines if line.startswith("FAILED "))
    counts = lines[-1] if lines else ""
    return Found(done.returncode, done.stdout, counts, failed, "".join(named), time.monotonic() - began)


def try_out(mistake: Mistake) -> Found:
    """Make a mistake in a fresh copy and run its test there until it fails."""
    with copy() as place:
        make(mistake.edits, place)
        found = outcome_of(place, [mistake.test], "-x")
        assert found.program == str(place / "importer" / "__init__.py"), found.output
    return found


def table(rows: Iterable[tuple[str, str, float, bool]], asked: frozenset[str]) -> str:
    """Write what was caught, by what and in how many seconds, and the counts."""
    told = sorted(rows, key=lambda row: row[0] not in asked)
    width = max(len(name) for name, *_ in told)
    lines = [
        f"{name:{width}}  {seconds:5.1f} s  {by[:_WIDEST] if caught else 'NOT CAUGHT'}"
        for name, by, seconds, caught in told
    ]
    for heading, own in (("Seeded mistakes", True), ("further ones", False)):
        of = [caught for name, _, _, caught in told if (name in asked) is own]
        lines.append(f"{heading}: {sum(of)} of {len(of)} caught")
    return "\n".join(lines)
