"""What a run remembers of doubts and of people's words, and for how long: none is lost, none outlives its truth."""

from json import loads

import pytest
from end_to_end import TARGET, command
from test_doubts import INVOICE, RENAME
from test_resolve import LONG_S, Office, firm

from importer.sandbox import Fault

__all__ = ["firm"]


def test_a_word_that_it_is_not_there_holds_until_something_is_sent_again(firm: Office) -> None:
    """Sent by that word, refused with 500 and made all the same: it is found, and never sent a second time."""
    firm.run()
    firm.by_hand("DELETE", "/000002")
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    refused = firm.run(Fault(match=INVOICE, kind="500_message", commit=True))
    assert refused.counts == {"already_accepted": 2, "rejected": 1}

    later = firm.run()

    assert (later.code, later.counts) == (4, {"already_accepted": 2, "changed": 1})
    assert later.document("F0002")["number"] == "000004"
    assert len(firm.numbers) == 3
    assert firm.resolve("--key", "F0002", "--accepted", "--yes")[0] == 0
    assert firm.run().counts == {"already_accepted": 3}


def test_what_a_person_saw_reversed_is_not_taken_for_what_was_sent_since(firm: Office) -> None:
    """Sent by that word, refused with 500 and not made: the reversed one is not the new one, and a person decides."""
    firm.run()
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    assert firm.run(Fault(match=INVOICE, kind="500_message")).document("F0002")["status"] == "rejected"

    assert firm.run().document("F0002")["status"] == "changed"
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}
    assert len(firm.numbers) == 4


def rename(office: Office, name: str, *faults: Fault) -> tuple[int, dict[str, int]]:
    """Run the renaming of one customer; return the exit code, and how it ended."""
    office.write([("10001", name)], ("No", "Name"), RENAME)
    ran = office.run(*faults)
    return ran.code, ran.counts


def test_a_doubtful_update_is_not_forgotten_where_the_same_was_accepted_since(firm: Office) -> None:
    """The first one may yet be carried out, after other content: that waits until it can no longer be."""
    assert rename(firm, "Beta", Fault(match="PUT customer", kind="cut_before")) == (5, {"unknown": 1})
    assert rename(firm, "Beta") == (0, {"accepted": 1})
    assert rename(firm, "Beta") == (0, {"already_accepted": 1})

    soon = rename(firm, "Alfa")
    firm.ahead_s += LONG_S
    later = rename(firm, "Alfa")

    assert (soon, later) == ((5, {"not_sent": 1}), (0, {"accepted": 1}))
    assert rename(firm, "Alfa") == (0, {"already_accepted": 1})


@pytest.mark.parametrize("ahead_s", [7_200, -7_200])
def test_it_is_the_servers_clock_that_says_how_long_other_content_waits(firm: Office, ahead_s: int) -> None:
    """Ours may be hours off: neither plan nor run takes a doubtful update for settled by it."""
    firm.ahead_s = ahead_s
    assert rename(firm, "Beta", Fault(match="PUT customer", kind="cut_before")) == (5, {"unknown": 1})

    soon = rename(firm, "Alfa")
    _code, plan, _errors = command("plan", "mapping.yaml", "invoices.xlsx", "--json", *TARGET[:2], cwd=firm.project)
    firm.ahead_s += LONG_S
    later = rename(firm, "Alfa")

    assert (soon, later) == ((5, {"not_sent": 1}), (0, {"accepted": 1}))
    assert loads(plan)["plan"][0]["status"] == "not_sent"


@pytest.mark.parametrize("word", ["--not-there", "--accepted"])
def test_a_word_on_what_is_in_doubt_twice_settles_both(firm: Office, word: str) -> None:
    """The same content went again and ended in doubt again: one word on it lets other content go."""
    lost = Fault(match="PUT customer", kind="cut_before")
    assert [rename(firm, "Beta", lost)[0] for _ in range(2)] == [5, 5]

    assert firm.resolve("--key", "10001", word, "--yes")[0] == 0

    assert rename(firm, "Alfa") == (0, {"accepted": 1})


def test_the_number_of_an_update_is_the_one_in_its_path_however_it_ends(firm: Office) -> None:
    """Unknown, accepted by a person's word, rejected: report and resolve name it, and what Visma has is shown."""
    firm.write([("10001", "Beta")], ("No", "Name"), RENAME)
    unknown = firm.run(Fault(match="PUT customer", kind="cut_before"))
    code, said = firm.resolve("--key", "10001", "--accepted", "--yes")
    known = firm.run()
    firm.write([("10001", "Alfa"), ("99999", "Nobody")], ("No", "Name"))
    rejected = firm.run()

    ends = [unknown.documents[0], known.documents[0], rejected.documents[1]]
    assert [end["status"] for end in ends] == ["unknown", "already_accepted", "rejected"]
    assert [end["number"] for end in ends] == ["10001", "10001", "99999"]
    assert (code, "Visma has 10001" in said) == (0, True)
