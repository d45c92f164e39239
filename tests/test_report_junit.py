"""results.junit.xml: a test case for each document, as the servers that build and test read them."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import parse
from end_to_end import copy_sample, run_here
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from pages import CHECK, HOSTILE, RECORD, outcomes_of

from importer.model import Outcome, Problem, RunRecord, Status
from importer.report import junit_file
from importer.report.contents import contents
from importer.report.words import legible

#: The schema of the Jenkins plug-in xunit (junit-10.xsd), written out small: for each element its attributes, those
#: it must have marked with *, and the elements in it, in their order.
SCHEMA = {
    "testsuites": ("name time tests failures errors disabled", "testsuite"),
    "testsuite": (
        "name* tests* failures errors time timestamp hostname id package disabled skipped file log",
        "properties testcase system-out system-err",
    ),
    "properties": ("", "property"),
    "property": ("name* value*", ""),
    "testcase": (
        "name* classname time status assertions group file line",
        "skipped error failure system-out system-err",
    ),
    "failure": ("message type", ""),
    "error": ("message type", ""),
    "skipped": ("message type", ""),
    "system-out": ("", ""),
    "system-err": ("", ""),
}


def written(folder: Path, outcomes: list[Outcome], record: RunRecord = RECORD) -> Path:
    file = folder / "results.junit.xml"
    junit_file.write(file, contents(record, outcomes))
    return file


def cases(file: Path) -> list[TestCase]:
    """Return the test cases as a reader of others reads them."""
    (suite,) = JUnitXml.fromfile(str(file))
    return list(suite)


def verdict(case: TestCase) -> str:
    """Return what a test case came to, and why, as in `Failure rejected`."""
    return " ".join([f"{type(result).__name__} {result.type}" for result in case.result] or ["passed"])


def check(element: Any) -> None:
    """Hold an element and all in it against the schema."""
    attributes, inner = SCHEMA[element.tag]
    names = [child.tag for child in element]
    assert set(element.attrib) <= set(attributes.replace("*", "").split())
    assert {name[:-1] for name in attributes.split() if name.endswith("*")} <= set(element.attrib)
    assert names == [name for name in inner.split() for _ in range(names.count(name))]
    for child in element:
        check(child)


@pytest.mark.parametrize("changes", [{}, {"finished_at": None, "exit_code": None, "stopped": "403 Forbidden"}])
def test_the_file_is_what_the_schema_describes(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Elements, their order and their attributes, with every status in it."""
    check(parse(written(tmp_path, outcomes_of(40), replace(RECORD, **changes))).getroot())


def test_each_document_is_one_case_named_by_its_key_and_rows(tmp_path: Path) -> None:
    """The mapping is the class; a row without a key is a case too."""
    outcomes = [
        Outcome(position=0, key="F0001", status=Status.ACCEPTED, rows=(2, 3, 4)),
        Outcome(position=1, key=None, status=Status.INVALID, rows=(7,)),
    ]

    assert [(case.classname, case.name) for case in cases(written(tmp_path, outcomes))] == [
        ("monthly-invoices", "F0001 (Invoices rows 2-4)"),
        ("monthly-invoices", "no key (Invoices row 7)"),
    ]


def test_a_case_ends_as_its_document_did(tmp_path: Path) -> None:
    """A person's work fails, what is in doubt or was not sent is an error, what was left out is skipped."""
    outcomes = [
        Outcome(position=place, key=status.value, status=status, rows=(place + 2,))
        for place, status in enumerate(Status)
    ]
    found = {case.name.split(" ")[0]: verdict(case) for case in cases(written(tmp_path, outcomes))}

    assert found == {
        "accepted": "passed",
        "already_accepted": "passed",
        "changed": "Failure changed",
        "invalid": "Failure invalid",
        "filtered": "Skipped filtered",
        "rejected": "Failure rejected",
        "not_sent": "Error not_sent",
        "unknown": "Error unknown",
    }


def test_what_a_check_finds_ready_passes(tmp_path: Path) -> None:
    """It was not to be sent; what is invalid still fails."""
    outcomes = [
        Outcome(position=0, key="1", status=Status.NOT_SENT, rows=(2,)),
        Outcome(position=1, key="2", status=Status.INVALID, rows=(3,)),
    ]
    file = written(tmp_path, outcomes, CHECK)

    assert [verdict(case) for case in cases(file)] == ["passed", "Failure invalid"]


def test_what_is_wrong_with_the_whole_file_is_a_case_that_fails(tmp_path: Path) -> None:
    """A check that holds everything back is not green although each document is ready."""
    held = Problem(code="total_mismatch", column="Amount", message="The total is 9, not 10. Mend it.")
    record = replace(CHECK, held=(held,))
    file = written(tmp_path, [Outcome(position=0, key="1", status=Status.NOT_SENT, rows=(2,))], record)
    (suite,) = JUnitXml.fromfile(str(file))

    assert [(case.name, verdict(case)) for case in suite] == [
        ("whole file: Total is not what is expected", "Failure invalid"),
        ("1 (Invoices row 2)", "passed"),
    ]
    assert (suite.tests, suite.failures) == (2, 1)


@pytest.mark.parametrize("count", [0, 1, 20, 137])
def test_the_totals_are_those_of_the_cases(tmp_path: Path, count: int) -> None:
    """Counted again by a reader of others, for the suite and for the whole."""
    whole = JUnitXml.fromfile(str(written(tmp_path, outcomes_of(count))))
    (suite,) = whole
    kinds = [type(result) for case in suite for result in case.result]
    want = (count, kinds.count(Failure), kinds.count(Error), kinds.count(Skipped))

    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == want
    assert (whole.tests, whole.failures, whole.errors) == want[:3]
    assert (suite.time, suite.timestamp) == (244.863, "2025-01-27T10:00:00")


def test_a_message_is_told_whole_and_its_first_sentence_first(tmp_path: Path) -> None:
    """The attribute is for the list, the text for whoever opens the case; a note on a good document is kept."""
    outcomes = [
        Outcome(
            position=0, key="1", status=Status.REJECTED, rows=(2,), message="Customer not found. Correct it.\nMore."
        ),
        Outcome(position=1, key="2", status=Status.ACCEPTED, rows=(3,), message="The number is another."),
    ]
    rejected, accepted = cases(written(tmp_path, outcomes))
    (failure,) = rejected.result

    assert failure.message == "rejected: Customer not found."
    assert failure.text == "Customer not found. Correct it.\nMore."
    assert accepted.system_out == "The number is another."


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_a_cell_breaks_the_file(tmp_path: Path, hostile: str) -> None:
    """It is read back as it was; characters that XML has no place for stand as escapes."""
    outcomes = [Outcome(position=0, key=hostile, status=Status.REJECTED, rows=(2,), message=hostile)]
    names = {"sheet": hostile, "mapping_name": hostile, "workbook_name": hostile, "stopped": hostile}
    file = written(tmp_path, outcomes, replace(RECORD, **names))
    check(parse(file).getroot())
    (case,) = cases(file)

    assert (case.classname, case.result[0].text) == (legible(hostile), legible(hostile))
    assert case.name == f"{legible(hostile)} ({legible(hostile)} row 2)"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", file.read_text(encoding="utf-8"))


def test_a_run_on_the_simulated_api_says_so(tmp_path: Path) -> None:
    """A real run's file differs from a sample's at a glance, and holds what the run was."""
    ran = run_here(copy_sample("invoices", tmp_path))
    root = parse(ran.folder / "results.junit.xml").getroot()
    (suite,) = root
    told = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}

    check(root)
    assert suite.findtext("system-out", "").startswith("sandbox: nothing reached Visma\n")
    assert (told["run_id"], told["simulated"], told["exit_code"]) == (ran.run_id, "true", "0")
    assert len(suite.findall("testcase")) == len(ran.documents)
