"""A causes.yaml beside the mapping: its causes go first, and what is wrong in it is told with line and column."""

import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from records import rejected

from importer.causes import (
    MAX_MESSAGE,
    Catalogue,
    Match,
    explain,
    group,
    load_causes,
)
from importer.errors import MappingError

INVOICE = "customerInvoice.create"
OWN = r"""
- id: project-over
  pattern: project (?P<subject>\d+) is over
  cause: {nb: 'Prosjektet {subject} er avsluttet'}
  advice: {nb: Spør controlleren}
"""


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], Catalogue]:
    """Return a function that reads the text of a causes.yaml beside a mapping."""

    def read(text: str) -> Catalogue:
        (tmp_path / "causes.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        return load_causes(tmp_path)

    return read


def cause(pattern: str, en: str = "Wrong", **more: str) -> str:
    """Return the text of one cause in YAML, its parts as they are given."""
    rest = "".join(f"  {name}: {text}\n" for name, text in more.items())
    return f"- id: one\n  pattern: {pattern}\n  cause:\n    en: {en}\n  advice:\n    en: Correct it.\n{rest}"


def test_ones_own_causes_go_first(own: Callable[[str], Catalogue], tmp_path: Path) -> None:
    said = "Error: Customer '10233' cannot be found in the system."
    assert load_causes(tmp_path) == load_causes(None)
    found = own("""\
        - id: ask-sales
          pattern: customer '(?P<subject>1\\d+)' cannot be found
          endpoints: [customerInvoice, customerDebitNote.create]
          cause: {nb: "Kunden {subject} er ikke overført fra CRM"}
          advice: {nb: Be salg overføre kunden.}
    """)
    assert found.find(said, "customerInvoice.create") == Match("ask-sales", "10233")
    assert found.find(said, "customerDebitNote.create") == Match("ask-sales", "10233")
    for other in ("customerDebitNote.update", "customerInvoiceX.create", "customer.create"):
        assert found.find(said, other) == Match("customer-not-found", "10233")
    assert explain(found, said, INVOICE, "sv").startswith("Kunden 10233 er ikke overført fra CRM. Be salg overføre")


def test_a_cause_of_ones_own_replaces_the_bundled_one_of_its_id(own: Callable[[str], Catalogue]) -> None:
    found = own("""\
        - id: customer-not-found
          pattern: kunde mangler
          cause: {en: Ours}
          advice: {en: Ask us.}
    """)
    assert found.find("Kunde mangler", INVOICE) == Match("customer-not-found")
    assert found.text(Match("customer-not-found"), "nb") == ("Ours", "Ask us.")
    assert len(found.causes) == len(load_causes(None).causes)


@pytest.mark.parametrize(
    ("text", "place", "words", "pointed"),
    [
        (cause("abc(def"), (2, 15), "This is not a regular expression: missing )", "(def"),
        (cause("'it''s (x'"), (2, 19), "This is not a regular expression: missing )", "(x'"),
        (cause('"\\\\d (x"'), (2, 17), "This is not a regular expression: missing )", '(x"'),
        (cause(">-\n    abc(def"), (2, 12), "This is not a regular expression: missing )", ">-"),
        (cause("x{99999999999999}"), (2, 12), "This is not a regular expression", "x{9"),
        (cause("ab (a+)+b"), (2, 18), "A group that repeats could take the search time without end.", ")+b"),
        (cause("(?:a|a)*b"), (2, 18), "A group that repeats", ")*b"),
        (cause("(a*){30}b"), (2, 15), "A group that repeats", "){30}b"),
        (cause(".*"), (2, 12), "The pattern is found in every message", ".*"),
        (cause("abc", "'{subject} is wrong'"), (4, 9), "The text holds {subject}, but the", "'{subj"),
        (cause("(?P<subject>a)", "'{customer} is wrong'"), (4, 9), "The one placeholder", "'{cust"),
        (cause("abc", "50 % } off"), (4, 9), "The one placeholder", "50 %"),
        (cause("abc", advise="x"), (7, 3), "'advise' is not known in '[1]'.", "advise"),
        (cause("abc", endpoints="[customer invoice]"), (7, 15), "'[1].endpoints[1]': 'customer invoice'", "customer i"),
        (cause("abc") + cause("abd"), (7, 7), "The cause 'one' stands here a second time; the first is on line", "one"),
        ("- id: One Two\n  pattern: a\n  cause: {en: A}\n  advice: {en: A.}\n", (1, 7), "'[1].id': 'One Two'", "One"),
        ("- id: one\n  cause: {en: A}\n  advice: {en: A.}\n", (1, 3), "'pattern' is missing in '[1]'.", "id: one"),
        ("- id: one\n  pattern: a\n  cause: {de: A}\n  advice: {en: A.}\n", (3, 11), "'de' is not known", "de: A"),
        ("causes: []\n", (1, 1), "The file must be a list", "causes"),
        ("- id: [\n", (2, 1), "This is not valid YAML", ""),
    ],
)  # fmt: skip
def test_a_fault_in_it_points_at_its_line_and_column(
    own: Callable[[str], Catalogue], text: str, place: tuple[int, int], words: str, pointed: str
) -> None:
    with pytest.raises(MappingError) as caught:
        own(text)
    assert caught.value.exit_code == 3
    assert str(caught.value) == "\n".join(map(str, caught.value.errors))
    head, quoted, caret = (*str(caught.value.errors[0]).splitlines(), "", "")[:3]
    found = re.search(r"causes\.yaml:(\d+):(\d+): (.*)", head)
    assert found, head
    assert (int(found[1]), int(found[2])) == place
    assert found[3].startswith(words)
    assert quoted[len(caret) - 1 :].startswith(pointed)


def test_all_faults_are_told_at_once(own: Callable[[str], Catalogue]) -> None:
    with pytest.raises(MappingError) as caught:
        own(cause("a(b", "'{x}'") + cause("c)d", "'{subject}'"))
    assert len(caught.value.errors) == 4  # two patterns, one text, one id twice


def test_harmless_repetition_is_taken(own: Callable[[str], Catalogue]) -> None:
    found = own(cause(r"'(?:abc)?[)*+]+\)+ x{2,3}(?P<subject>\d+)'", "'No {subject}'"))
    assert found.find("say )) xx17", INVOICE) == Match("one", "17")


def test_a_report_written_again_shows_what_a_catalogue_beside_the_mapping_said(own: Callable[[str], Catalogue]) -> None:
    ours = own(OWN)
    outcomes = [rejected(key, f"Project {key} is over.", catalogue=ours) for key in ("47", "48")]
    (one,) = group(outcomes, load_causes(None), INVOICE, "en")
    assert one.text == "Prosjektet … er avsluttet. Spør controlleren."
    (one,) = group(outcomes, ours, INVOICE, "nb")
    assert (one.text, one.subjects) == ("Prosjektet er avsluttet", ("47", "48"))


def test_no_pattern_sees_more_than_the_bound(own: Callable[[str], Catalogue]) -> None:
    late = "x" * MAX_MESSAGE + " Customer '1' cannot be found"
    assert load_causes(None).find(late, INVOICE) is None
    assert explain(load_causes(None), late, INVOICE, "en") == f"Visma answered: {late}"
    slow = own(cause("a.*b$"))
    began = time.perf_counter()
    assert slow.find("ab" * 1_000_000 + "c", INVOICE) == Match("one")  # it ends with a b where it is cut
    assert slow.find("a" * 1_000_000, INVOICE) is None
    assert time.perf_counter() - began < 5
