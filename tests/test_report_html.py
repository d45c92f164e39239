"""The page of a run: self-contained, true, and nothing in it but text, whatever a cell holds."""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from end_to_end import copy_sample, run_here
from pages import CHECK, HOSTILE, RECORD, outcomes_of, write_page

from importer.model import Outcome, Problem, RunRecord, Status, Total
from importer.report.contents import contents
from importer.report.html_file import INKS, SHOWN, page
from importer.report.troubles import Trouble, troubles
from importer.report.words import first_sentence, legible
from importer.report.workbook_file import FILLS


class Seen(HTMLParser):
    """Read a page as a browser does: its elements, what each holds as text, and its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, str] = {}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; style and scripts are kept by what they are."""
        known = {name: value or "" for name, value in attrs}
        self.elements.append((tag, known))
        self._within = known.get("type", tag) if tag in {"style", "script"} else ""

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._within:
            self.raw[self._within] = self.raw.get(self._within, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Return what is read, white space as one blank."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def page_of(record: RunRecord, outcomes: Sequence[Outcome]) -> str:
    return page(contents(record, outcomes))


def troubles_of(record: RunRecord, outcomes: Sequence[Outcome]) -> list[Trouble]:
    return troubles(contents(record, outcomes))


def outcome(position: int, status: Status, **more: Any) -> Outcome:
    return Outcome(position=position, key=f"F{position:04}", status=status, rows=(position + 2,), **more)


def test_the_page_lets_in_its_own_style_and_script_by_hash_and_nothing_else() -> None:
    """The policy starts from nothing, comes before all that it governs, and no element names another address."""
    seen = Seen(page_of(RECORD, outcomes_of(5)))
    tags = [tag for tag, _ in seen.elements]
    (policy,) = [meta["content"] for meta in seen.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]

    assert policy.split("; ")[:3] == [
        "default-src 'none'",
        f"style-src {hash_of(seen.raw['style'])}",
        f"script-src {hash_of(seen.raw['script'])}",
    ]
    assert "unsafe" not in policy
    assert tags.index("meta") < tags.index("style")
    named = [(tag, name, value) for tag, known in seen.elements for name, value in known.items()]
    assert [value for _, name, value in named if name in {"href", "src", "action", "srcset", "data"}] == ["#documents"]
    assert [name for _, name, _ in named if name.startswith("on") or name == "style"] == []
    assert "@import" not in seen.raw["style"]
    assert "url(" not in seen.raw["style"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_a_cell_holds_becomes_an_element_or_ends_the_data(hostile: str) -> None:
    """Wherever a text of the workbook stands, the page has the same elements as with a harmless text, and the text."""

    def page_with(text: str) -> str:
        problem = Problem(sheet=text, row=3, column=text, value=text, code="pattern", message=f"{text} is wrong. Mend.")
        outcomes = [
            Outcome(position=0, key=text, status=Status.ACCEPTED, rows=(2,), number=text, message=text),
            Outcome(position=1, key=text, status=Status.INVALID, rows=(3,), problems=(problem,)),
            Outcome(position=2, key="c", status=Status.REJECTED, rows=(4,), message=f"Visma answered: {text}"),
            Outcome(position=3, key="d", status=Status.CHANGED, rows=(5,), message=text),
        ]
        names = {"workbook_name": text, "sheet": text, "mapping_name": text, "stopped": text}
        total = Total(name=text, column=text, sum=Decimal(1), expect=None)
        return page_of(replace(RECORD, **names, totals=(total,), rows_read=4), outcomes)

    seen, harmless = Seen(page_with(hostile)), Seen(page_with("harmless"))

    assert [tag for tag, _ in seen.elements] == [tag for tag, _ in harmless.elements]
    assert seen.raw["script"] == harmless.raw["script"]
    assert [row[1] for row in json.loads(seen.raw["application/json"])["documents"]][:2] == [legible(hostile)] * 2
    assert not set("<>&\u2028\u2029") & set(seen.raw["application/json"])
    assert " ".join(legible(hostile).split()) in seen.text


def test_unseen_characters_are_written_as_escapes() -> None:
    """No control character and no half of a pair reaches the page's bytes; the page is UTF-8."""
    text = page_of(RECORD, [outcome(0, Status.CHANGED, message="a\x00b\x1b[31m\x85\ud800c\r\nd")])

    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text)
    assert text.encode("utf-8").count(b"a\\x00b\\x1b[31m\\x85\\ud800c") == 2
    assert json.loads(Seen(text).raw["application/json"])["documents"][0][4] == "a\\x00b\\x1b[31m\\x85\\ud800c\nd"


def test_the_same_run_makes_the_same_page_whatever_the_order_and_the_clock() -> None:
    """A report that is written again differs in no byte."""
    outcomes = outcomes_of(30)

    assert page_of(RECORD, outcomes) == page_of(RECORD, outcomes[::-1])


def test_the_data_hold_every_document_and_the_page_the_first_of_them() -> None:
    """Without scripts the first documents are readable, and how many there are is said."""
    outcomes = outcomes_of(SHOWN + 20)
    seen = Seen(page_of(RECORD, outcomes))
    data = json.loads(seen.raw["application/json"])

    assert [row[1] for row in data["documents"]] == [outcome.key for outcome in outcomes]
    assert [data["statuses"][row[2]]["name"] for row in data["documents"]] == [one.status.value for one in outcomes]
    assert [known.get("class") for known in seen.all("th")].count("c-key") == 1 + SHOWN
    assert str(outcomes[SHOWN - 1].key) in seen.text
    assert str(outcomes[SHOWN].key) not in seen.text
    assert f"The first {SHOWN} of {SHOWN + 20} documents; results.xlsx holds all of them." in seen.text
    assert [known for known in seen.all("form") if "hidden" not in known] == []


def test_rows_that_are_apart_stand_in_the_data_as_ranges() -> None:
    """First and last of each unbroken range, which the page and its search understand."""
    one = Outcome(position=0, key="1", status=Status.ACCEPTED, rows=(2, 3, 4, 9, 11, 12))
    seen = Seen(page_of(RECORD, [one]))

    assert json.loads(seen.raw["application/json"])["documents"][0][0] == [2, 4, 9, 9, 11, 12]
    assert "2-4, 9, 11-12" in seen.text


ACCEPTED, BEFORE, CHANGED, LEFT_OUT = Status.ACCEPTED, Status.ALREADY_ACCEPTED, Status.CHANGED, Status.FILTERED
INVALID, REJECTED, NOT_SENT, UNKNOWN = Status.INVALID, Status.REJECTED, Status.NOT_SENT, Status.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "changes", "said"),
    [
        ([ACCEPTED, ACCEPTED], {"exit_code": 0}, "All 2 documents were accepted."),
        ([ACCEPTED], {"exit_code": 0}, "1 document was accepted."),
        ([BEFORE, BEFORE], {"exit_code": 0}, "All 2 documents were there before with the same content."),
        ([ACCEPTED, LEFT_OUT], {"exit_code": 0}, "1 document was accepted, 1 was left out."),
        ([ACCEPTED, BEFORE], {"exit_code": 0}, "1 document was accepted, 1 was there before with the same content."),
        ([], {"exit_code": 0}, "There was no document to send."),
        ([ACCEPTED, INVALID, REJECTED, CHANGED], {"exit_code": 4}, "3 of 4 documents need attention."),
        ([ACCEPTED, INVALID], {"exit_code": 4}, "1 of 2 documents needs attention."),
        ([ACCEPTED, NOT_SENT, REJECTED], {"exit_code": 6}, "1 of 3 documents was not sent."),
        ([ACCEPTED, NOT_SENT, UNKNOWN], {"exit_code": 5}, "1 of 3 documents may or may not be in Visma."),
        ([ACCEPTED], {"exit_code": None, "finished_at": None}, "The run's end was not written down."),
        ([NOT_SENT, NOT_SENT, INVALID], None, "2 of 3 documents are ready to send, 1 is invalid."),
    ],
)
def test_the_headline_says_what_presses_most(
    statuses: Sequence[Status], changes: dict[str, Any] | None, said: str
) -> None:
    """One sentence for each end of a run and of a check (None), true in number and in grammar."""
    record = CHECK if changes is None else replace(RECORD, **changes)
    outcomes = [outcome(position, status) for position, status in enumerate(statuses)]
    seen = Seen(page_of(replace(record, rows_read=len(statuses)), outcomes))

    assert f"{said} {RECORD.workbook_name}" in seen.text
    assert f"Rows read: {len(statuses)}" in seen.text
    assert "Every row is accounted for." in seen.text


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (RECORD, "sandbox: nothing reached Visma"),
        (replace(RECORD, simulated=False, target="acme"), "sent to Visma: target acme"),
        (replace(RECORD, simulated=False, target="none"), "sent to Visma: target none"),
        (CHECK, "check: nothing was sent"),
    ],
)
def test_the_page_tells_a_simulated_run_from_a_real_one_and_from_a_check(record: RunRecord, said: str) -> None:
    """It stands above the headline, whatever the target is called."""
    seen = Seen(page_of(record, outcomes_of(3)))

    assert seen.texts.index(said) < next(
        place for place, text in enumerate(seen.texts) if "Exit code" in text or "This was a check" in text
    )


def test_the_exit_code_is_told_in_words_and_times_with_their_zone() -> None:
    """Also when the run ended early, with the reason."""
    seen = Seen(page_of(replace(RECORD, exit_code=6, stopped="403 Forbidden"), [outcome(0, Status.NOT_SENT)]))

    assert "it is safe to run again. Exit code 6." in seen.text
    assert "Stopped early: 403 Forbidden" in seen.text
    assert "2025-01-27 10:00:00 UTC" in seen.text
    assert [known["datetime"] for known in seen.all("time")] == [RECORD.started_at, RECORD.finished_at]


def test_statuses_have_the_colours_of_the_workbook() -> None:
    """A status looks the same in both reports; each has a line that is seen on white."""
    style = Seen(page_of(RECORD, outcomes_of(3))).raw["style"]

    for status in Status:
        assert f".s-{status.value} {{ --fill: #{FILLS[status]}; --ink: {INKS[status]}; }}" in style


def test_the_bar_shows_each_status_and_says_it_in_words() -> None:
    """One document among ten thousand is still seen, the parts fill the bar, and the text alternative counts."""
    outcomes = [outcome(position, Status.ACCEPTED) for position in range(9_999)] + [outcome(9_999, Status.UNKNOWN)]
    seen = Seen(page_of(RECORD, outcomes))
    parts = {part["data-status"]: (float(part["x"]), float(part["width"])) for part in seen.all("rect")}

    assert list(parts) == ["accepted", "unknown"]
    assert parts["unknown"][1] > 10
    assert parts["accepted"][1] == pytest.approx(parts["unknown"][0])
    assert sum(parts["unknown"]) == pytest.approx(1000)
    (bar,) = seen.all("svg")
    assert (bar["role"], bar["aria-label"]) == ("img", "Bar of the documents by status: 9,999 accepted, 1 unknown")


def test_control_totals_are_exact_and_compared() -> None:
    """Sums are shown digit by digit; what differs says so, what was not stated is not compared."""
    totals = (
        Total(name="Net", column="Amount", sum=Decimal("1234567.10"), expect=Decimal("1234567.10")),
        Total(name="Gross", column="Sum", sum=Decimal("-0.10"), expect=Decimal("0.10")),
        Total(name="Qty", column="Qty", sum=None),
    )
    text = Seen(page_of(replace(RECORD, totals=totals), outcomes_of(3))).text

    assert "Net Amount 1,234,567.10 1,234,567.10 \u2713 agrees" in text
    assert "Gross Sum \u22120.10 0.10 \u2717 differs" in text
    assert "Qty Qty cannot be added up not stated" in text


def test_columns_that_would_be_empty_are_left_out() -> None:
    """A check has no numbers and no times; a run has them."""
    checked = [outcome(0, Status.NOT_SENT)]
    sent = [outcome(0, Status.ACCEPTED, number="1", sent_at="2025-01-27T10:00:01.123Z")]
    names = [
        [known["data-column"] for known in Seen(page_of(RECORD, some)).all("th") if "data-column" in known]
        for some in (checked, sent)
    ]

    assert names == [["rows", "key", "status", "message"], ["rows", "key", "status", "number", "message", "sent"]]
    assert "2025-01-27 10:00:01" in Seen(page_of(RECORD, sent)).text


def test_what_has_one_cause_stands_together_the_most_pressing_first() -> None:
    """Refusals by their cause, mistakes by column and kind, doubts by what was said, each with whom it concerns."""

    def late(value: str, row: int) -> Problem:
        message = f"{value!r} is not a day that exists. Correct the cell."
        return Problem(sheet="S", row=row, column="Date", value=value, code="not_a_date", message=message)

    found = troubles_of(
        RECORD,
        [
            outcome(0, Status.REJECTED, message="Visma answered: Customer '10233' cannot be found in the system."),
            outcome(1, Status.INVALID, problems=(late("31.02.2025", 3),)),
            outcome(2, Status.REJECTED, message="Visma answered: Customer '10234' cannot be found in the system."),
            outcome(3, Status.INVALID, problems=(late("30.02.2025", 5), late("31.04.2025", 5))),
            outcome(4, Status.UNKNOWN, message="It may be there. Say: visma-import resolve --key F0004 --not-there."),
            outcome(5, Status.UNKNOWN, message="It may be there. Say: visma-import resolve --key F0005 --not-there."),
            outcome(6, Status.ACCEPTED),
        ],
    )

    assert [(one.status.value, one.title, one.subjects, one.positions, one.rows) for one in found] == [
        ("unknown", "It may be there.", ("F0004", "F0005"), (4, 5), (6, 7)),
        ("rejected", "Customer not found", ("10233", "10234"), (0, 2), (2, 4)),
        ("invalid", "Date: Not a date", ("31.02.2025", "30.02.2025", "31.04.2025"), (1, 3), (3, 5)),
    ]  # fmt: skip
    assert found[0].text == "Say: visma-import resolve --key \u2026 --not-there."
    assert found[2].text == "\u2026 is not a day that exists. Correct the cell."


def test_a_message_is_split_after_its_first_sentence_alone() -> None:
    """A decimal point, an abbreviation before a small letter and a file's name end no sentence."""
    assert first_sentence("1.5 is e.g. wrong. Correct it.") == ("1.5 is e.g. wrong.", "Correct it.")
    assert first_sentence("See results.xlsx") == ("See results.xlsx", "")
    assert first_sentence("Feil\nRetting") == ("Feil", "Retting")


def test_documents_that_are_ready_are_no_trouble_of_a_check() -> None:
    """What a check did not send needs nobody's attention; what a run did not send does."""
    waiting = [outcome(0, Status.NOT_SENT, message="Ready.")]

    seen = Seen(page_of(CHECK, waiting))

    assert troubles_of(CHECK, waiting) == []
    assert "It is ready to be sent. Nothing to do." in seen.text
    pressing = {one["name"]: one["pressing"] for one in json.loads(seen.raw["application/json"])["statuses"]}
    assert (pressing["not_sent"], pressing["invalid"]) == (False, True)
    assert [one.title for one in troubles_of(RECORD, waiting)] == ["Ready."]


def test_a_check_tells_what_is_wrong_with_the_file_and_what_is_odd() -> None:
    """Problems of the whole file come first and are the headline; what is odd stands apart and is no trouble."""
    held = Problem(sheet="Invoices", code="total_mismatch", column="Amount", message="The total is 9, not 10. Mend it.")
    odd = [
        Problem(sheet="Invoices", row=row, column="Date", value=day, code="odd_date", message=f"{day!r} is far away.")
        for row, day in ((2, "2125-01-27"), (9, "2225-01-27"))
    ]
    record = replace(CHECK, held=(held,), warnings=tuple(odd))
    seen = Seen(page_of(record, [outcome(0, Status.NOT_SENT), outcome(1, Status.NOT_SENT)]))

    assert "Nothing can be sent: the file as a whole has 1 problem." in seen.text
    assert "whole file Amount: Total is not what is expected The total is 9, not 10. Mend it." in seen.text
    assert "Worth a look Date: Odd date \u2026 is far away. 2125-01-27 2225-01-27 Rows 2, 9" in seen.text
    assert [known for _, known in seen.elements if "data-cause" in known] == []


def test_a_long_message_is_kept_whole_and_folded() -> None:
    """Eight thousand characters of an error body push nothing off the page, and nothing of them is lost."""
    message = "Visma answered: first line\n" + "x" * 8_000
    seen = Seen(page_of(RECORD, [outcome(0, Status.REJECTED, message=message)]))

    assert len(seen.all("details")) == 1
    assert "Visma answered: first line \u2026" in seen.text
    assert json.loads(seen.raw["application/json"])["documents"][0][4] == message


def test_a_run_writes_the_page_beside_the_other_files(tmp_path: Path) -> None:
    """A sample's run on the sandbox leaves all five files, and the page tells of the same documents."""
    ran = run_here(copy_sample("invoices", tmp_path))
    seen = Seen((ran.folder / "results.html").read_text(encoding="utf-8"))

    names = ["results.html", "results.json", "results.junit.xml", "results.xlsx", "summary.md"]
    assert sorted(file.name for file in ran.folder.iterdir()) == names
    assert [row[1] for row in json.loads(seen.raw["application/json"])["documents"]] == [
        document["key"] for document in ran.documents
    ]
    assert f"All {len(ran.documents)} documents were accepted." in seen.text


def test_the_page_of_many_documents_stays_small(tmp_path: Path) -> None:
    """A document costs little more than its own words, and the page's elements do not grow with them."""
    few, many = (write_page(tmp_path / f"{count}.html", count) for count in (2_000, 20_000))
    sizes = [file.stat().st_size for file in (few, many)]
    print(f"measured: results.html with 20,000 documents: {sizes[1] / 1e6:.2f} MB")

    assert (sizes[1] - sizes[0]) / 18_000 < 150
    assert [len(Seen(file.read_text(encoding="utf-8")).all("tr")) for file in (few, many)] == [SHOWN + 4] * 2
