"""Find what is wrong with a sheet as a whole and with rows that belong together, and tell it once.

Pure. Each function returns problems; nothing is decided here.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from importer.convert import RowValues
from importer.endpoints import Endpoint
from importer.expect import Expectation, can_be_searched
from importer.grouping import spans
from importer.mapping import Mapping, Rule
from importer.model import ABSENT, Document, Problem, Row, Status
from importer.values import shown
from importer.workbook import Sheet
from importer.yamlfile import PlainText, Step, YamlPath, did_you_mean

#: What YAML 1.2 reads as nothing.
_NULLS = frozenset({"~", "null", "Null", "NULL"})


def blocking(documents: Iterable[Document]) -> bool:
    """Tell whether any document is invalid."""
    return any(document.status is Status.INVALID for document in documents)


def uses(mapping: Mapping) -> Iterable[tuple[str, YamlPath]]:
    """Yield each header the mapping names, with its place in the file."""
    for rule in (rule.source for rule in mapping.rules):
        if rule.column is not None:
            yield rule.column, (*rule.place, "column")
        for header in sorted(rule.template.headers) if rule.template else ():
            yield header, (*rule.place, "template")
    for header in sorted(mapping.where.headers) if mapping.where else ():
        yield header, ("where",)
    for total in mapping.totals:
        yield total.column, (*total.place, "sum")


def used_columns(mapping: Mapping) -> frozenset[str]:
    """Return the headers the mapping names."""
    return frozenset(header for header, _ in uses(mapping))


def column_problems(mapping: Mapping, sheet: Sheet) -> list[Problem]:
    """Tell each header the mapping names that the sheet does not have, or has twice."""
    found: dict[str, Problem] = {}
    for header, place in uses(mapping):
        if header in sheet.columns or header in found:
            continue
        mark = mapping.source.fault(place, "").mark
        where = f"{mapping.source.path.name}, line {mark.line}" if mark else mapping.source.path.name
        if header in sheet.repeated:
            code, text = (
                "repeated_column",
                "stands more than once in the header row. Rename one of them in the sheet.",
            )
        else:
            known = [name for name in sheet.headers if name is not None]
            code = "no_column"
            text = f"is not in row {sheet.header_row} of the sheet. {did_you_mean(header, known)}".rstrip()
            if not did_you_mean(header, known).startswith("Did"):
                text += " Correct the header in the sheet or in the mapping."
        message = f"The column {header!r} ({where}) {text}"
        found[header] = Problem(sheet=sheet.name, row=sheet.header_row, column=header, code=code, message=message)
    return list(found.values())


def without_columns(mapping: Mapping, sheet: Sheet) -> Mapping | None:
    """Return the mapping without rules whose columns are missing, so that the rest is checked; None without a key."""

    def whole(rule: Rule) -> bool:
        return all(header in sheet.columns for header in rule.headers)

    if not whole(mapping.key) or (mapping.where and not mapping.where.headers <= set(sheet.columns)):
        return None
    return replace(
        mapping,
        period=mapping.period if mapping.period and whole(mapping.period) else None,
        fields=tuple(rule for rule in mapping.fields if whole(rule)),
        lines=tuple(rule for rule in mapping.lines if whole(rule)),
        totals=tuple(total for total in mapping.totals if total.column in sheet.columns),
    )


def hidden_rows(mapping: Mapping, sheet: Sheet) -> list[Problem]:
    """Tell how many rows are hidden or filtered away, where the mapping does not say what they do."""
    hidden = [row for row in sheet.rows if row.hidden and not row.blank]
    if not hidden or mapping.workbook.hidden_rows != "error":
        return []
    message = (
        f"Hidden or filtered away in Excel: {row_list(hidden)}. Show them, or say in the "
        "mapping what they do: workbook: hidden_rows: include or skip."
    )
    return [Problem(sheet=sheet.name, row=hidden[0].number, code="hidden_rows", message=message)]


def row_list(rows: Iterable[Row | int]) -> str:
    """Write row numbers briefly, such as `rows 3, 5-9`."""
    numbers = tuple(sorted({row if isinstance(row, int) else row.number for row in rows}))
    texts = [f"{first}" if first == last else f"{first}-{last}" for first, last in spans(numbers)]
    more = f" and {len(texts) - 8} more places" if len(texts) > 8 else ""  # noqa: PLR2004 - fits on one line
    return ("row " if len(numbers) == 1 else "rows ") + ", ".join(texts[:8]) + more


def merged_cells(mapping: Mapping, sheet: Sheet) -> list[Problem]:
    """Tell merged cells in columns that are used: only their first cell holds the value."""
    from openpyxl.utils import range_boundaries

    spots = {sheet.columns[header]: header for header in used_columns(mapping) if header in sheet.columns}
    problems = []
    for area in sheet.merged:
        left, top, right, bottom = range_boundaries(area)
        names = [spots[spot - 1] for spot in range(left or 1, (right or left or 1) + 1) if spot - 1 in spots]
        if names and bottom is not None and bottom > sheet.header_row and (bottom, right) != (top, left):
            message = (
                f"The cells {area} are merged, so only the first of them holds the value. Unmerge them in Excel and "
                "fill each cell."
            )
            problems.append(
                Problem(
                    sheet=sheet.name,
                    row=max(top or 1, sheet.header_row),
                    column=names[0],
                    code="merged_cells",
                    message=message,
                )
            )
    return problems


def conflicts(mapping: Mapping, sheet: Sheet, rows: list[RowValues]) -> list[Problem]:
    """Tell where rows of one document disagree on a field of the document, naming both cells."""
    first, problems = rows[0], []
    for other in rows[1:]:
        if other.fields is first.fields or other.fields == first.fields:
            continue
        for target in dict.fromkeys([*first.fields, *other.fields]):
            before, after = first.fields.get(target, ABSENT), other.fields.get(target, ABSENT)
            if before == after or target in first.faulty or target in other.faulty:
                continue
            problems.append(_conflict(sheet, _rule_of(mapping, target), target, (first, before), (other, after)))
    return list(dict.fromkeys(problem for problem in problems if problem is not None))


def _rule_of(mapping: Mapping, target: tuple[Step, ...]) -> Rule | None:
    if target in {("postPeriod",), ("financialPeriod",)} and mapping.period:
        return mapping.period
    return next((rule for rule in mapping.fields if rule.target == target), None)


def _conflict(
    sheet: Sheet,
    rule: Rule | None,
    target: tuple[Step, ...],
    one: tuple[RowValues, object],
    two: tuple[RowValues, object],
) -> Problem:
    column = rule.column if rule else None
    (first, before), (other, after) = one, two
    name = ".".join(str(step) for step in target)

    def cell(values: RowValues, value: object) -> str:
        text = "blank" if value is ABSENT else repr(shown(value))
        place = sheet.address(column, values.row.number) if column else f"row {values.row.number}"
        return f"{text} in {place}"

    message = (
        f"The rows of one document must agree, but {name} is {cell(other, after)} and {cell(first, before)}. Correct "
        "one of them, or give the rows different keys."
    )
    return Problem(
        sheet=sheet.name,
        row=other.row.number,
        column=column,
        value=None if after is ABSENT else shown(after),
        code="header_conflict",
        message=message,
    )


def repeated_numbers(mapping: Mapping, sheet: Sheet, documents: list[Document]) -> list[Document]:
    """Hold documents that ask for a number which another document of the sheet asks for too.

    Of an upsert, also those that share an identifier by which they are found.
    """
    endpoint = mapping.endpoint
    names = [endpoint.number_field or "", *(endpoint.identifiers if endpoint.kind == "upsert" else ())]
    values = {document.rows: _asked(document, endpoint) for document in documents}
    sharing: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        for name in names:
            if value := values[document.rows].get(name):
                sharing.setdefault((name, value), []).append(document)
    result = []
    for document in documents:
        spots = [(name, values[document.rows].get(name, "")) for name in names]
        twice = next((spot for spot in spots if len(sharing.get(spot, ())) > 1), None)
        if twice is not None:
            other = next(twin for twin in sharing[twice] if twin is not document)
            problem = _asked_twice(mapping, sheet, *twice, document, other)
            document = Document(key=document.key, rows=document.rows, status=Status.INVALID, problems=(problem,))  # noqa: PLW2901
        result.append(document)
    return result


def _asked(document: Document, endpoint: Endpoint) -> dict[str, str]:
    """Return what a document is known by, by field."""
    own = {endpoint.number_field: document.number} if endpoint.number_field and document.number else {}
    return {**Expectation.load(document.expect).identifiers, **own} if endpoint.kind == "upsert" else own


def _asked_twice(mapping: Mapping, sheet: Sheet, name: str, value: str, document: Document, other: Document) -> Problem:
    number = name == mapping.endpoint.number_field
    rule = _rule_of(mapping, (name,))
    what = f"ask for the number {value!r}" if number else f"have the {name} {value!r}"
    message = (
        f"Two documents {what}: keys {document.key!r} (row {document.rows[0]}) and {other.key!r} (row "
        f"{other.rows[0]}). Give each its own {'number' if number else name}."
    )
    return Problem(
        sheet=sheet.name,
        row=document.rows[0],
        column=rule.column if rule else None,
        value=value,
        code="number_twice" if number else "identifier_twice",
        message=message,
    )


def collapse(sheet: Sheet, documents: list[Document], filled: Callable[[str], int]) -> list[Problem]:
    """Return the problems of documents; numbers in a text column are told once where the whole column is such.

    `filled` counts the cells of a column that hold anything.
    """
    problems = [problem for document in documents for problem in document.problems]
    cells: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.code == "number_in_text" and problem.column:
            cells.setdefault(problem.column, []).append(problem)
    whole = {
        name: found for name, found in cells.items() if len(found) > 1 and len({p.row for p in found}) == filled(name)
    }
    result: list[Problem] = []
    told: set[str] = set()
    for problem in problems:
        name = problem.column or ""
        if problem.code != "number_in_text" or name not in whole:
            result.append(problem)
        elif name not in told:
            told.add(name)
            rows = row_list({found.row for found in whole[name] if found.row})
            result.append(
                replace(problem, message=f"All {len(whole[name])} cells of the column ({rows}): {problem.message}")
            )
    return sorted(result, key=lambda p: (p.row or 0, sheet.columns.get(p.column or "", -1)))


def scattered_keys(sheet: Sheet, documents: list[Document]) -> list[Problem]:
    """Warn of documents whose rows do not stand together."""
    filled: dict[int, int] = {}
    problems = []
    for document in documents:
        if document.rows[-1] - document.rows[0] == len(document.rows) - 1:
            continue
        #: how many rows that hold anything stand above each row, this one counted
        filled = filled or {
            row.number: count for count, row in enumerate((row for row in sheet.rows if not row.blank), start=1)
        }
        spots = [filled[row] for row in document.rows if row in filled]
        if document.key is not None and spots and max(spots) - min(spots) >= len(spots):
            message = (
                f"The rows of document {document.key!r} do not stand together ({row_list(document.rows)}); "
                "they form one document."
            )
            problems.append(Problem(sheet=sheet.name, row=document.rows[0], code="scattered_rows", message=message))
    return problems


def inserted_lines(document: Document) -> int:
    """Count the lines a document inserts; a quote in a text is written with a backslash, so it cannot count."""
    return document.body.count(b'"operation": "Insert"')


def mixed_lines(mapping: Mapping, sheet: Sheet, documents: list[Document]) -> list[Problem]:
    """Warn of updates that change some lines and insert others: a line number may be missing."""
    if not mapping.endpoint.lines_by_number:
        return []
    found = []
    for document in documents:
        inserts, updates = inserted_lines(document), document.body.count(b'"operation": "Update"')
        if inserts and updates:
            message = (
                f"Document {document.key!r} updates {updates} lines and inserts {inserts}: is a line number missing?"
            )
            found.append(Problem(sheet=sheet.name, row=document.rows[0], code="insert_and_update", message=message))
    return found


def not_to_be_found(mapping: Mapping, documents: Iterable[Document]) -> list[Problem]:
    """Tell how many creates carry nothing that they could be searched for by, should a run end in doubt over them."""
    endpoint = mapping.endpoint
    if not endpoint.may_create:
        return []
    ready = [document for document in documents if document.status is None]
    lost = [document for document in ready if not can_be_searched(document.expect)]
    if not lost:
        return []
    was, whom = ("it was", "it") if len(lost) == 1 else ("they were", "them")
    which = f"The {len(lost)} documents" if len(lost) == len(ready) else f"{len(lost)} of {len(ready)} documents"
    message = (
        f"{which if len(ready) > 1 else 'The document'} could not be found again in Visma if the connection broke "
        f"while {was} being sent; somebody would have to look for {whom} there. {_what_finds(mapping, lost)}"
    )
    return [Problem(code="cannot_be_found", message=message)]


def _what_finds(mapping: Mapping, lost: list[Document]) -> str:
    """Say what to do so that documents can be searched for."""
    endpoint = mapping.endpoint
    names = [endpoint.reference_field, *endpoint.identifiers, endpoint.number_field]
    if endpoint.customer_field and all(Expectation.load(document.expect).reference for document in lost):
        # a reference is searched for among the documents of its customer
        names = [endpoint.customer_field]
    wanted = dict.fromkeys(name for name in names if name)
    mapped = [name for name in wanted if _rule_of(mapping, (name,))]
    if not mapped:
        return f"Map {' or '.join(wanted)} to a column of its own."
    rows = row_list(row for document in lost for row in document.rows)
    written = f", and see that {mapping.template} writes it" if _own_template(mapping) else ""
    return f"Fill in {' or '.join(mapped)} in {rows}{written}."


def needed_rules(mapping: Mapping) -> tuple[Rule, ...]:
    """Return the rules of the fields without which the API refuses to create a document."""
    fields = {(name,) for name in mapping.endpoint.needed} if mapping.endpoint.kind == "create" else set()
    return tuple(rule for rule in mapping.fields if rule.target in fields)


def blank_needed(mapping: Mapping, sheet: Sheet, lacking: Iterable[tuple[Rule, list[int]]]) -> list[Problem]:
    """Warn of documents that lack what the API needs, by their first rows: they may be totals or notes."""
    found = []
    for rule, rows in lacking:
        what = f"the {mapping.endpoint.resource} documents of {row_list(rows)}"
        message = (
            f"The API will refuse {what}: they have no {rule.name}. Fill it in; rows that are no documents, "
            "such as a total, are deleted or left out by 'where'."
        )
        column = rule.headers[0] if len(rule.headers) == 1 else None
        found.append(Problem(sheet=sheet.name, row=rows[0], column=column, code="needed_field", message=message))
    return found


def mapping_warnings(mapping: Mapping) -> list[Problem]:
    """Warn of what a mapping asks for that the API will not do."""
    endpoint = mapping.endpoint
    targets = {rule.target[0] for rule in mapping.fields}
    warnings = []
    if "overrideNumberSeries" in targets and mapping.api == "v1" and "v2" in endpoint.versions:
        message = "overrideNumberSeries has no effect on v1 of this endpoint: say api: v2 in the mapping."
        warnings.append(Problem(code="needs_v2", message=message))
    for name in endpoint.needed if not _own_template(mapping) else ():
        if name not in targets:
            message = f"The mapping gives no {name}, without which the API refuses {endpoint.resource} documents."
            warnings.append(Problem(code="needed_field", message=message))
    warnings += [_taken_as_text(mapping, place, text) for place, text in _nulls(mapping.source.data, ())]
    return warnings


def _own_template(mapping: Mapping) -> bool:
    return mapping.template != f"{mapping.endpoint.name}.json.j2"


def _nulls(data: object, place: YamlPath) -> Iterable[tuple[YamlPath, str]]:
    """Yield each value of a mapping that is YAML's word for nothing, with its place: here it stays the text."""
    if isinstance(data, dict | list):
        for step, part in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _nulls(part, (*place, step))
    elif isinstance(data, PlainText) and data in _NULLS:
        yield place, data


def _taken_as_text(mapping: Mapping, place: YamlPath, text: str) -> Problem:
    mark = mapping.source.fault(place, "").mark
    where = f"{mapping.source.path.name}, line {mark.line}" if mark else mapping.source.path.name
    message = (
        f"{str(place[-1])!r} ({where}) is the text {text!r}, not nothing: what is typed stays text. Put it in quotes "
        "if it is meant, else delete the line."
    )
    return Problem(code="null_as_text", message=message)
