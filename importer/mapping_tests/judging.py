"""Plan the rows of a case as `check` does, and hold the plan against what the case expects."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Final

from importer.errors import MappingError, StartError, UsageError
from importer.findings import row_list, used_columns
from importer.mapping import Mapping, parameter_values
from importer.mapping_file import read_mapping
from importer.mapping_tests.bodies import as_added, difference
from importer.mapping_tests.case_file import Case, CaseFile, ExpectedDocument, ExpectedProblem, read_cases
from importer.model import Document, Problem, Status
from importer.plan import Plan, make_plan
from importer.template import BodyTemplate
from importer.values import clean_header
from importer.workbook import Sheet, Table, make_sheet
from importer.yamlfile import FileFault

#: As many places of a body are listed; its diff shows all of them.
_MAX_PLACES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Say in what a test failed."""

    #: body, problems, status, missing, unexpected or sheet
    kind: str
    #: of the document; None for one without a key and for the sheet as a whole
    key: str | None = None
    #: where the test file expects otherwise, from 1
    line: int
    message: str
    #: a unified diff of the body as expected and as rendered; empty where no body is to blame
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """Hold how one test ended."""

    name: str
    #: its line in the file, from 1
    line: int
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Tell whether everything came as expected."""
        return not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """Hold how the tests of one file ended, or why they could not be run."""

    file: Path
    mapping: Path | None = None
    cases: tuple[CaseResult, ...] = ()
    faults: tuple[FileFault, ...] = ()


def run_file(file: Path) -> FileResult:
    """Run the tests of one file."""
    try:
        cases = read_cases(file)
        mapping = read_mapping(cases.mapping)
        results = tuple(_run(case, cases, mapping) for case in cases.cases)
    except StartError as error:
        return FileResult(file=file, faults=_faults(file, error))
    return FileResult(file=file, mapping=cases.mapping, cases=results)


def read_alone(file: Path) -> tuple[FileFault, ...]:
    """Read a mapping and its body template without any rows; return what is wrong with them."""
    try:
        BodyTemplate(read_mapping(file))
    except StartError as error:
        return _faults(file, error)
    return ()


def _faults(file: Path, error: StartError) -> tuple[FileFault, ...]:
    known = tuple(fault for fault in getattr(error, "errors", ()) if isinstance(fault, FileFault))
    return known or (FileFault(file=str(file), message=str(error)),)


def _run(case: Case, cases: CaseFile, mapping: Mapping) -> CaseResult:
    try:
        values = parameter_values(mapping, case.parameters, how="parameters: {name}: VALUE")
    except UsageError as error:
        raise _stop(cases, case, str(error)) from None
    plan = make_plan(mapping, _sheet(case, cases, mapping), values)
    failures = [*_sheet_failures(case, plan), *_document_failures(case, plan)]
    if failures:
        failures += _misspelt_headers(case, plan)
    return CaseResult(name=case.name, line=case.line, failures=tuple(failures))


def _stop(cases: CaseFile, case: Case, message: str) -> StartError:
    fault = cases.source.fault((*case.place, "name"), message)
    return MappingError(str(fault), (fault,))


def _sheet(case: Case, cases: CaseFile, mapping: Mapping) -> Sheet:
    """Return the rows of a case as a sheet: with their own headers, and blank columns for what else is needed."""
    own = list(dict.fromkeys(header for row in case.rows for header in row))
    known = {clean_header(header) for header in own}
    headers = [*own, *sorted(used_columns(mapping) - known)]
    first = mapping.workbook.header_row
    cells = [[(row.get(header), None) for header in headers] for row in case.rows]
    table = Table(
        title=mapping.workbook.sheet or "Rows",
        rows=enumerate([[(header, None) for header in headers], *cells], start=first),
    )
    return make_sheet(cases.source.path, table, first)


def _sheet_failures(case: Case, plan: Plan) -> Iterator[Failure]:
    message = _unlike(case.problems, plan.held)
    if message:
        yield Failure(kind="sheet", line=case.line, message=f"The sheet as a whole: {message}")


def _document_failures(case: Case, plan: Plan) -> Iterator[Failure]:
    """Pair expected documents with those of the plan in their order; what is left on either side is a failure."""
    wanted, found = [part.key for part in case.documents], [document.key for document in plan.documents]
    matcher = SequenceMatcher(None, wanted, found, autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        expected, documents = case.documents[start:end], plan.documents[first:last]
        if tag == "equal":
            pairs = zip(expected, documents, strict=True)
            yield from (failure for failure in (_compare(*pair) for pair in pairs) if failure)
            continue
        yield from (_missing(part, found) for part in expected)
        yield from (_unexpected(document, case.line) for document in documents)


def _missing(expected: ExpectedDocument, found: Sequence[str | None]) -> Failure:
    if expected.key in found:
        message = f"It stands at another place; documents come in the order of their first rows: {_keys(found)}."
    else:
        message = f"It is expected, but the rows do not give it. They give: {_keys(found) or 'none'}."
    return Failure(kind="missing", key=expected.key, line=expected.line, message=message)


def _keys(keys: Iterable[str | None]) -> str:
    return ", ".join("(no key)" if key is None else key for key in keys)


def _unexpected(document: Document, line: int) -> Failure:
    diff = as_added(document.body) if document.status is None else ()
    message = f"It is not expected. {_state(document)}"
    return Failure(kind="unexpected", key=document.key, line=line, message=message, diff=diff)


def _state(document: Document) -> str:
    """Say what became of a document."""
    rows = row_list(document.rows)
    if document.status is Status.FILTERED:
        return f"It is left out ({rows}): {document.message}"
    if document.status is None:
        return f"A body is rendered for it ({rows})."
    return "\n".join([f"It has problems ({rows}):", *(f"  {_written(problem)}" for problem in document.problems)])


def _compare(expected: ExpectedDocument, document: Document) -> Failure | None:
    if expected.filtered:
        wanted, same = "It is expected to be filtered.", document.status is Status.FILTERED
    elif expected.body is not None:
        wanted, same = "A body is expected.", document.status is None
    else:
        wanted, same = "Problems are expected.", document.status is Status.INVALID
    if not same:
        message, diff = f"{wanted} {_state(document)}", as_added(document.body) if document.status is None else ()
        return Failure(kind="status", key=document.key, line=expected.line, message=message, diff=diff)
    if expected.body is not None:
        return _compare_bodies(expected, expected.body, document)
    message = _unlike(expected.problems, document.problems) if expected.problems else ""
    if not message:
        return None
    return Failure(kind="problems", key=document.key, line=expected.line, message=message)


def _compare_bodies(expected: ExpectedDocument, body: dict[str, object], document: Document) -> Failure | None:
    found = difference(body, document.body)
    if found is None:
        return None
    places = ", ".join(found.places[:_MAX_PLACES])
    more = f" and {len(found.places) - _MAX_PLACES} more places" if len(found.places) > _MAX_PLACES else ""
    message = "\n".join([f"The body differs at {places}{more}.", *found.notes])
    return Failure(kind="body", key=document.key, line=expected.line, message=message, diff=found.diff)


def _unlike(expected: Sequence[ExpectedProblem], found: Sequence[Problem]) -> str:
    """Tell which problems are missing and which are too many; empty where they are as expected."""
    missing, extra = _unpaired(expected, found)
    lines = [f"expected, but not found: {_described(problem)}" for problem in missing]
    lines += [f"found, but not expected: {_written(problem)}" for problem in extra]
    return "\n".join(lines)


def _unpaired(
    expected: Sequence[ExpectedProblem], found: Sequence[Problem]
) -> tuple[list[ExpectedProblem], list[Problem]]:
    """Pair expected problems with those found, as many as can be; return what is left on each side."""
    pairs: dict[int, int] = {}

    def paired(spot: int, tried: set[int]) -> bool:
        for at, problem in enumerate(found):
            if at not in tried and _fits(expected[spot], problem):
                tried.add(at)
                if at not in pairs or paired(pairs[at], tried):
                    pairs[at] = spot
                    return True
        return False

    missing = [problem for spot, problem in enumerate(expected) if not paired(spot, set())]
    return missing, [problem for at, problem in enumerate(found) if at not in pairs]


def _fits(expected: ExpectedProblem, problem: Problem) -> bool:
    return (
        expected.column in {None, problem.column}
        and expected.code in {None, problem.code}
        and expected.row in {None, problem.row}
        and (expected.message or "") in problem.message
    )


def _described(problem: ExpectedProblem) -> str:
    parts = {"row": problem.row, "column": problem.column, "code": problem.code, "message": problem.message}
    return ", ".join(f"{name} {value!r}" for name, value in parts.items() if value is not None)


def _written(problem: Problem) -> str:
    place = ", ".join(filter(None, [f"row {problem.row}" if problem.row else "", problem.column]))
    return f"{place or 'the sheet'} ({problem.code}): {problem.message}"


def _misspelt_headers(case: Case, plan: Plan) -> Iterator[Failure]:
    """Tell headers of the rows that the mapping does not name, but that look like one which it does."""
    used = used_columns(plan.mapping)
    own = dict.fromkeys(clean_header(header) for row in case.rows for header in row)
    for header in own:
        near = get_close_matches(header, used - set(own), n=1, cutoff=0.8) if header not in used else []
        if near:
            message = f"The rows have a column {header!r}; the mapping knows {near[0]!r}."
            yield Failure(kind="sheet", line=case.line, message=message)
