"""`init` matches the workbooks of five languages, and the samples, as people would."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import MEASURED, MakeWorkbook
from draft_books import WORKBOOKS
from drafts import told
from end_to_end import SAMPLES, command, copy_sample

from importer.mapping_file import read_mapping


def matched(data: dict[str, Any], header: str) -> tuple[set[str], set[str]]:
    """Return the fields that a header surely feeds, and those that it may feed."""
    named = [
        (re.sub("^fields[.]", "", item["field"]), item["sure"]) for item in data["columns"] if item["column"] == header
    ]
    return {field for field, sure in named if sure}, {field for field, sure in named if not sure}


def rated(data: dict[str, Any], wanted: dict[str, str | None]) -> tuple[int, list[str]]:
    """Return how many headers were matched right, and those that surely feed a field they do not mean."""
    right, wrong = 0, []
    for header, field in wanted.items():
        sure, perhaps = matched(data, header)
        right += field in sure or (field is None and not sure) or (field == "?" and not sure and bool(perhaps))
        if sure and field not in sure:
            wrong.append(header)
    return right, wrong


@pytest.mark.parametrize("language", list(WORKBOOKS))
def test_a_workbook_of_each_language_is_matched_without_a_wrong_line(
    make_workbook: MakeWorkbook, language: str
) -> None:
    """Nine headers of ten are matched right, none surely wrong, and the draft passes check or says what is missing."""
    endpoint, rows, wanted = WORKBOOKS[language]
    workbook = make_workbook(rows())
    data = told(workbook, endpoint)
    right, wrong = rated(data, wanted)
    print(
        f"{MEASURED}init, {language} workbook ({endpoint}): {right} of {len(wanted)} headers right, {len(wrong)} wrong"
    )
    code, said, error = command("check", "rows.mapping.yaml", cwd=workbook.parent)

    assert wrong == []
    assert right >= 0.9 * len(wanted), {header: matched(data, header) for header in wanted}
    assert code == (3 if data["problems"] else 0), said + error
    assert not data["missing"]
    for problem in data["problems"]:
        assert problem[:60] in (workbook.parent / "rows.mapping.yaml").read_text(encoding="utf-8")


def by_hand(mapping: Path) -> dict[str, set[str]]:
    """Return by header the fields that a mapping written by hand takes from it."""
    fields: dict[str, set[str]] = {}
    parsed = read_mapping(mapping)
    for rule in (parsed.key, *((parsed.period,) if parsed.period else ()), *parsed.fields):
        if rule.column is not None:
            fields.setdefault(rule.column, set()).add(rule.name)
    for rule in parsed.lines:
        if rule.column is not None:
            fields.setdefault(rule.column, set()).add(f"lines.{rule.name}")
    for total in parsed.totals:
        fields.setdefault(total.column, set()).add("totals")
    return fields


def test_drafts_of_the_samples_agree_with_what_people_wrote(tmp_path: Path) -> None:
    """Of the headers that the samples' mappings use, most are matched alike, and nearly none otherwise."""
    right = wrong = whole = 0
    others: list[str] = []
    for mapping in sorted(SAMPLES.glob("*/mapping.yaml")):
        folder = copy_sample(mapping.parent.name, tmp_path)
        parsed = read_mapping(folder / "mapping.yaml")
        assert parsed.workbook.file is not None
        data = told(parsed.workbook.file, parsed.endpoint.name)
        for header, fields in by_hand(folder / "mapping.yaml").items():
            sure, _ = matched(data, header)
            whole += 1
            right += bool(sure & fields)
            if sure and not sure & fields:
                wrong += 1
                others.append(f"{folder.name}: {header} is {sorted(fields)}, drafted {sorted(sure)}")
    print(f"{MEASURED}init on the samples: {right} of {whole} headers as people mapped them, {wrong} otherwise")

    assert right >= 0.85 * whole
    assert wrong <= 0.03 * whole, others
