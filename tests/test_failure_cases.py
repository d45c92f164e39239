"""The table of failure-cases.md is whole: each case has a test that is there, or a reason why it is none of ours.

A case without a test, a test that is gone and a case that is neither ours nor explained are found here.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from failure_cases import CASES, NOT_OURS

HERE = Path(__file__).parent
WANTED = [*(f"C{n}" for n in range(1, 36)), *(f"P{n}" for n in range(1, 13)), *(f"R{n}" for n in range(1, 12))]


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests of a file, as pytest collects them."""
    path = HERE / f"{file}.py"
    nodes = ast.parse(path.read_text(encoding="utf-8")).body if path.exists() else []
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


@pytest.mark.parametrize("case", WANTED)
def test_a_case_is_proven_or_explained(case: str) -> None:
    """Each case has a test that is there, or a reason why it is none of ours."""
    _, proofs = CASES.get(case, ("", ()))
    gone = [
        proof
        for proof in proofs
        if not (HERE / proof / "expected.json").exists()
        and proof.rpartition("::")[2] not in names_in(proof.split("::")[0])
    ]

    assert gone == []
    assert proofs or NOT_OURS.get(case)


def test_no_other_case_is_listed() -> None:
    """The table holds the cases that the file of cases has, each once, in its order."""
    assert list(CASES) == [case for case in WANTED if case in CASES]
    assert set(NOT_OURS) <= set(WANTED)


def test_a_case_that_a_test_names_is_one_of_the_table() -> None:
    """Ids in the names and first lines of tests are ids of the table, so that none is a slip of the pen."""
    known = set(WANTED) | {f"D{number}" for number in range(1, 21)}
    named: set[str] = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                head = (ast.get_docstring(node) or "").partition(":")[0]
                named |= set(re.findall(r"\b[CPRD][0-9]{1,2}\b", head)) if re.match(r"[CPRD][0-9]", head) else set()
                named |= {part.upper() for part in re.findall(r"(?<=_)[cpr][0-9]{1,2}(?=_)", node.name)}

    assert len(named) > 30
    assert named - known == set()
