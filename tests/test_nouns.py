"""What is done quickly to the nouns of the program is what the library does to them."""

from dataclasses import replace
from json import dumps
from typing import Any

import pytest
from records import outcome, record

from importer.journal.tables import result_row
from importer.model import Document, Outcome, Problem, Status, changed


@pytest.mark.parametrize(
    "noun",
    [
        Document(key="K", rows=(2, 3), body=b"{}", identity="K", customer="1", message="told"),
        outcome(),
        record(),
    ],
)
def test_a_changed_noun_is_what_the_library_makes_of_it(noun: Any) -> None:
    """Every value is kept but those that are named; a value that there is not is refused as there."""
    for name in noun.__dataclass_fields__:
        assert changed(noun, **{name: "new"}) == replace(noun, **{name: "new"})
    with pytest.raises(TypeError):
        changed(noun, nothing_like_it=1)


@pytest.mark.parametrize("rows", [(), (2,), (2, 3, 100_000)])
def test_a_result_is_written_as_json_writes_it(rows: tuple[int, ...]) -> None:
    """Whatever reads the journal reads the same text, whichever way it came to be."""
    problems = (Problem(sheet="S", row=2, column="C", value="æ", code="c", message="m"),)
    for told in ((), problems):
        row = result_row("run1", Outcome(position=0, key="K", status=Status.INVALID, rows=rows, problems=told))
        assert row["rows"] == dumps(rows)
        assert bool(row["problems"] != dumps(())) is bool(told)
