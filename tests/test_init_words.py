"""The list of words names real fields, and a header is known however it is spelt."""

from pathlib import Path

import pytest
import yaml
from conftest import Draft
from drafts import DAY, invoices

from importer.drafting import read_words
from importer.drafting.matching import targets_of
from importer.drafting.words import LANGUAGES, comparable
from importer.endpoints import table
from importer.fields import fields_of, leaves


def test_every_word_names_a_real_field() -> None:
    """Each field of words.yaml is one of an endpoint the entry holds for, and each entry has all five languages."""
    resources = {endpoint.resource for endpoint in table().values()}
    for entry in read_words().entries:
        held = [row for row in table().values() if not entry.resources or row.resource in entry.resources]
        known = {target for endpoint in held for target in targets_of(endpoint)}
        assert entry.resources <= resources, entry.fields
        assert set(entry.fields) <= known, entry.fields
        assert {language for spoken in entry.words.values() for language in spoken} == set(LANGUAGES), entry.fields
        assert all(entry.words), entry.fields


def test_every_value_that_has_words_is_one_of_a_field() -> None:
    """The values that words.yaml knows by other names are those of enums."""
    enums = {value for name in table() for _, field in leaves(fields_of(name)) for value in field.enum}

    assert set(read_words().values) <= enums


@pytest.mark.parametrize("name", list(table()))
def test_no_word_surely_means_two_fields_of_an_endpoint(name: str) -> None:
    """A word of two entries is told apart by what the cells look like, or the second says that it is in doubt."""
    endpoint, means = table()[name], dict[tuple[str, str], str]()
    known = targets_of(endpoint)
    for entry in read_words().entries:
        targets = [target for target in entry.fields if target in known]
        if not targets or entry.doubt or (entry.resources and endpoint.resource not in entry.resources):
            continue
        for word in entry.words:
            earlier = means.setdefault((word, entry.looks), targets[0])
            # the number of the documents comes before the same number as a field
            assert earlier in {targets[0], "key"}, (word, earlier, targets[0])


@pytest.mark.parametrize(
    "header", ["Kundenr", "KUNDENR.", "Kunde-nr", "kunde nr", "Kundenummer", "Kunde nummer", "Kundenr (Visma)"]
)
def test_a_header_is_known_however_it_is_spelt(draft: Draft, header: str) -> None:
    """Case, spaces, dots, hyphens and brackets do not matter, and nummer is nr."""
    rows = invoices(("Dato", [DAY, DAY]))
    rows[0][1] = header

    assert draft(rows).data["fields"]["customerNumber"] == header


def test_a_header_that_only_resembles_a_known_one_is_doubtful(draft: Draft) -> None:
    """A slip of the finger is named, and a person decides."""
    done = draft(invoices(("Fakturadto", [DAY, DAY]), ("Beskrivelse", ["Kaffe", "Te"])))

    assert "documentDate" not in done.data["fields"]
    assert "the header only resembles 'fakturadato'" in done.line("documentDate:")


def test_no_word_stands_twice_or_is_nothing_when_compared() -> None:
    """words.yaml holds no word that is lost when it is made comparable, and none twice in one entry and language."""
    raw = yaml.safe_load((Path(__file__).parents[1] / "schemas" / "words.yaml").read_text(encoding="utf-8"))

    for row in raw["words"]:
        for language in LANGUAGES:
            words = row[language]
            assert all(map(comparable, words)), words
            assert len(set(words)) == len(words), (row["fields"], words)
