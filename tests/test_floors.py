"""Imports run one way: a module uses its own package, its own floor without a circle, and what lies below."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import importer

PACKAGE = Path(importer.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

#: each module or package of the house with its floor, as the package's docstring lists them
FLOORS = {
    name: floor
    for floor, names in enumerate(
        (
            "errors model resources stop beside",
            "endpoints fields jsontext yamlfile locales formats sandbox grouping atomic_file allowance",
            "values rules cells schemacheck compare catalogue expect request_schema mapping_advice",
            "literals expression workbook target causes replaced",
            "mapping mapping_schema project api misread",
            "mapping_file convert remembered template journal blank_mark mapped_columns",
            "findings decide oddities currencies documents outline filling computing bodies references migration",
            "plan lookup forecast memory saved_plan",
            (
                "sequence search background lanes slots stop_rules report fetch doctor fetch_files drafting blank "
                "kept_plan mapping_tests"
            ),
            "readback existing resolve",
            "send verify upsert",
            "doubts preflight",
            "run decisions",
            "cli __main__",
        )
    )
    for name in names.split()
}
SENDING = {
    "run",
    "api",
    "journal",
    "lookup",
    "send",
    "doubts",
    "memory",
    "decisions",
}
#: reading, planning and rendering: everything that a check needs
OFFLINE = {
    *(
        "errors",
        "model",
        "resources",
        "endpoints",
        "fields",
        "jsontext",
        "yamlfile",
        "locales",
        "formats",
        "values",
        "rules",
        "cells",
        "schemacheck",
    ),
    *("compare", "catalogue", "expect", "causes", "literals", "expression", "workbook", "mapping", "mapping_schema"),
    *(
        "mapping_advice",
        "mapping_file",
        "convert",
        "misread",
        "request_schema",
        "template",
        "remembered",
        "outline",
        "filling",
        "computing",
        "bodies",
        "findings",
        "decide",
        "plan",
        "oddities",
        "currencies",
        "documents",
        "grouping",
        "forecast",
    ),
    *("drafting", "blank_mark", "mapped_columns", "mapping_tests"),
}
NETWORK_AND_DATABASE = {
    "requests",
    "urllib3",
    "urllib",
    "http",
    "socket",
    "ssl",
    "sqlalchemy",
    "sqlite3",
    "psycopg",
    "filelock",
}
FILE_FORMATS = {"yaml", "openpyxl", "xlrd"}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def module(file: Path) -> str:
    """Return the dotted name of a file below the package, such as `api.client`; empty for the package itself."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def house(name: str) -> str:
    """Return the module or package of the house that a dotted name belongs to."""
    return name.partition(".")[0]


@cache
def imports(file: Path) -> frozenset[str]:
    """Return every module that a file imports anywhere, also within functions, by its full name."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports relatively"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if _is_module(name) else str(node.module) for name in whole}
    return frozenset(found)


def _is_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def own(file: Path) -> set[str]:
    """Return the modules of this package that a file imports, without the package's name."""
    return {name.removeprefix("importer.") for name in imports(file) if name.startswith("importer.")}


def foreign(file: Path) -> set[str]:
    """Return the top names of everything else that a file imports."""
    return {house(name) for name in imports(file)} - {"importer"}


def files_of(*names: str) -> list[Path]:
    return [file for file in FILES if house(module(file)) in names]


HOUSE = {house(module(file)) for file in FILES} - {""}


def test_imports_within_functions_are_seen() -> None:
    """The reading of imports finds those in functions and those of a package's modules."""
    assert "importer.cli" in imports(PACKAGE / "__main__.py")
    assert "openpyxl" in imports(PACKAGE / "workbook/xlsx.py")
    assert "importer.resources" in imports(PACKAGE / "endpoints.py")


def test_every_module_has_a_floor() -> None:
    """A new module is put on its floor, and a floor lists no module that is gone."""
    assert set(FLOORS) == HOUSE


def test_the_packages_docstring_tells_the_same_floors() -> None:
    """Who reads the package's first lines reads the floors that are proven here."""
    lines = re.findall(r"(?m)^    (\d+)  (.+)$", importer.__doc__ or "")

    assert {name: int(floor) for floor, names in lines for name in names.split(", ")} == FLOORS


@pytest.mark.parametrize("file", FILES, ids=lambda file: module(file) or "importer")
def test_no_import_goes_up(file: Path) -> None:
    """A module imports from its own floor or from lower ones."""
    here = house(module(file))
    # The package itself imports nothing of its own; a module without a floor is told by its own test.
    floor = FLOORS.get(here, len(FLOORS)) if here else 0

    assert {name for name in own(file) if house(name) != here and FLOORS.get(house(name), 0) > floor} == set()


def test_no_floor_has_a_circle() -> None:
    """Modules and packages of the house never import each other in a circle, whatever their floor."""
    edges = {name: {house(used) for file in files_of(name) for used in own(file)} - {name} for name in HOUSE}
    settled: set[str] = set()
    while ready := {name for name in edges if name not in settled and edges[name] <= settled}:
        settled |= ready

    assert set(edges) - settled == set()


@pytest.mark.parametrize("package", ["api", "report", "sandbox", "cli"])
def test_no_package_has_a_circle_at_import(package: str) -> None:
    """Within a package, what is imported when a module loads runs one way too."""
    edges: dict[str, set[str]] = {}
    for file in files_of(package):
        top = {node for node in tree(file).body if isinstance(node, ast.Import | ast.ImportFrom)}
        names = {
            name.removeprefix("importer.")
            for node in top
            if isinstance(node, ast.ImportFrom)
            for name in [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            if _is_module(name)
        }
        edges[module(file)] = {name for name in names if house(name) == package} - {package, module(file)}
    settled = {package}
    while ready := {name for name in edges if name not in settled and edges[name] <= settled}:
        settled |= ready

    assert set(edges) - settled == set()


@pytest.mark.parametrize("file", files_of("sandbox"), ids=module)
def test_the_simulated_api_shares_nothing_with_the_client(file: Path) -> None:
    """The sandbox knows errors and itself, so that client and server cannot share a mistake."""
    assert {name for name in own(file) if house(name) != "sandbox"} <= {"errors"}
    assert foreign(file) & {"requests"} == set()


@pytest.mark.parametrize("file", files_of(*OFFLINE), ids=module)
def test_reading_and_planning_open_no_socket_and_no_database(file: Path) -> None:
    """What `check` runs cannot reach the network or the journal."""
    assert foreign(file) & NETWORK_AND_DATABASE == set()
    assert {house(name) for name in own(file)} <= OFFLINE


@pytest.mark.parametrize("file", files_of(*SENDING), ids=module)
def test_sending_reads_no_yaml_and_no_workbook(file: Path) -> None:
    """What is sent was read, checked and planned before; sending looks at no file again."""
    assert foreign(file) & FILE_FORMATS == set()
    assert {house(name) for name in own(file)} & {
        "yamlfile",
        "mapping_file",
        "workbook",
        "convert",
        "template",
    } == set()


@pytest.mark.parametrize("file", [file for file in FILES if house(module(file)) != "cli"], ids=module)
def test_only_the_command_line_prints_or_exits(file: Path) -> None:
    """Every other module returns or raises; the command line alone speaks to people and ends the process."""
    calls = {ast.unparse(node.func) for node in ast.walk(tree(file)) if isinstance(node, ast.Call)}
    ends = {"sys.exit"} if module(file) == "__main__" else set()

    assert calls & {"print", "click.echo", "echo", "exit", "quit", "sys.exit", "os._exit", "input"} <= ends
    assert not any(call.startswith(("sys.stdout", "sys.stderr", "console.")) for call in calls)
    assert foreign(file) & {"click", "rich"} == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: module(file) or "importer")
def test_a_file_is_short_enough_to_be_read(file: Path) -> None:
    """No file of the program has 400 lines."""
    lines = file.read_text(encoding="utf-8").splitlines()

    assert len(lines) < 400
