"""The hooks in the real pre-commit program: a broken mapping and a broken test never come into a repository.

pre-commit installs this checkout, committed to a repository of its own, with its libraries from the package index.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from end_to_end import MAPPING, ROOT
from mapping_cases import good
from test_package import TOP_LEVEL

pytest.importorskip("pre_commit")
if shutil.which("git") is None:
    pytest.skip("git is not installed", allow_module_level=True)

PRE_COMMIT = (sys.executable, "-m", "pre_commit")
#: YAML files that stand in such a repository too and are nobody's mapping.
OTHERS = {"targets.yaml": "test: {}\n", "pipeline.yml": "jobs: !reference [a]\n"}


def call(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as somebody who has no settings and does not have this checkout on the way of Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON", "PRE_COMMIT"))}
    who = {
        f"GIT_{role}_{what}": "somebody@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PRE_COMMIT_HOME": str(folder.parent / "pre-commit")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def done(folder: Path, *command: str) -> str:
    """Run a command that must succeed; return what it said."""
    ended = call(folder, *command)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout.strip()


def committed(folder: Path) -> str:
    """Make a folder a repository, or add to one, with all its files; return the commit."""
    done(folder, "git", "init", "--quiet", "--initial-branch=main")
    done(folder, "git", "add", "--all")
    done(folder, "git", "commit", "--quiet", "--message=All files")
    return done(folder, "git", "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a repository of mappings, without any workbook, on which pre-commit has installed the hooks."""
    program = tmp_path / "program"
    program.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".visma-import", "reports", "node_modules")
    for name in (*TOP_LEVEL, ".pre-commit-hooks.yaml"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, program / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, program / name)
    project = tmp_path / "project"
    project.mkdir()
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {program}\n    rev: {committed(program)}\n    hooks:\n"
        "      - id: visma-import-check\n      - id: visma-import-test\n",
        encoding="utf-8",
    )
    for name, text in {**OTHERS, "invoices.yaml": MAPPING, "more.mapping.yaml": MAPPING}.items():
        (project / name).write_text(text, encoding="utf-8")
    (project / "invoices.test.yaml").write_text(good(), encoding="utf-8")
    committed(project)
    done(project, *PRE_COMMIT, "install", "--install-hooks")
    return project


def refused(project: Path, name: str, before: str, after: str) -> str:
    """Change a file and commit it, which must not come to pass; put it back and return what was said."""
    file = project / name
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    head = done(project, "git", "rev-parse", "HEAD")
    ended = call(project, "git", "commit", "--all", "--message=A mistake")
    assert ended.returncode == 1, ended.stdout
    assert done(project, "git", "rev-parse", "HEAD") == head
    done(project, "git", "reset", "--quiet", "--hard")
    return ended.stdout


def test_broken_mappings_and_tests_are_not_committed_and_good_ones_pass(project: Path) -> None:
    """What is said names the file, the line and, of a body, the difference. One test: the installation takes long."""
    said = done(project, *PRE_COMMIT, "run", "--all-files", "--verbose")
    assert said.count("Passed") == 2
    assert "2 mappings read without a mistake." in said
    assert "1 test of 1 file: 1 passed, 0 failed." in said

    # a mapping without tests is read all the same
    said = refused(project, "more.mapping.yaml", "lines:", "lnies:")
    assert "more.mapping.yaml:10:1: 'lnies' is not known at the top of the file." in said
    assert "Did you mean 'lines'?" in said

    # one that can be read, but gives another body
    said = refused(project, "invoices.yaml", "quantity: Qty", "quantity: Unit price")
    assert "FAILED invoices.test.yaml:3: a test" in said
    assert '-        "value": 2\n' in said
    assert '+        "value": 19.9\n' in said

    said = refused(project, "invoices.test.yaml", "rows:", "rosw:")
    assert "invoices.test.yaml:4:5: 'rosw' is not known in 'tests[1]'." in said
