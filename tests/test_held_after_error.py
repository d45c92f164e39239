"""What is held after an error of which no look-up shows whether it left something: `resolve` lists it, as runs do."""

from typing import Any

import pytest
from end_to_end import MAPPING, invoice_rows
from test_doubts import INVOICE, UNSEEN
from test_resolve import LONG_S, Office, firm

from importer.sandbox import Fault

__all__ = ["firm"]


@pytest.mark.parametrize(("mapping", "match", "row", "corrected", "held"), UNSEEN)
@pytest.mark.parametrize("word", ["--accepted", "--not-there"])
def test_resolve_lists_what_is_held_after_an_error_until_a_person_says_so(
    firm: Office, mapping: str, match: str, row: tuple[Any, ...], corrected: tuple[Any, ...], held: str, word: str
) -> None:
    """By its own content or by other content: with the command that settles it, and changing nothing itself."""
    firm.post(customerNumber="10001", documentDate="2025-01-27")
    firm.write([row], ("No", "From", "To"), mapping)
    refused = firm.run(Fault(match=match, kind="500_message", commit=True))
    firm.write([corrected], ("No", "From", "To"))
    assert firm.run().counts == {held: 1}
    firm.ahead_s += LONG_S
    before = firm.attempt(row[0])

    found = firm.settle()

    assert (found["key"], found["status"], found["run_id"]) == (row[0], "unknown", refused.run_id)
    assert f"visma-import resolve --key {row[0]} --accepted NUMBER, or --not-there" in firm.resolve()[1]
    assert firm.attempt(row[0]) == before
    assert firm.resolve("--key", row[0], word, "--yes")[0] == 0
    assert firm.resolve() == (0, "0 in doubt, 0 settled, 0 left.")


@pytest.mark.parametrize(("made", "told"), [(True, "accepted"), (False, "not_sent")])
def test_resolve_looks_for_what_is_held_although_its_row_can_no_longer_be_looked_for(
    firm: Office, made: bool, told: str
) -> None:
    """The reference that was sent is not mapped any more: the row is held, and what was sent is looked for."""
    firm.run(Fault(match=INVOICE, kind="500_message", nth=2, commit=made))
    firm.write(invoice_rows(3), mapping=MAPPING.replace("  externalReference: Invoice no\n", ""))
    assert firm.run().document("F0002")["status"] == "unknown"

    soon = firm.settle() if not made else {"status": "unknown"}
    firm.ahead_s += LONG_S

    assert (soon["status"], firm.settle()["status"]) == ("unknown", told)
    assert firm.attempt("F0002")["state"] == told
    assert firm.resolve()[0] == 0


def test_resolve_does_not_list_a_refusal_that_the_next_run_looks_for_itself(firm: Office) -> None:
    """An invoice with a reference of ours, refused with an error, is rejected and no doubt."""
    assert firm.run(Fault(match=INVOICE, kind="500_message", nth=2)).counts == {"accepted": 2, "rejected": 1}

    assert firm.resolve() == (0, "0 in doubt, 0 settled, 0 left.")
