"""Find the files that hold tests, and mappings, at the places that a command names."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from importer.errors import MappingError
from importer.mapping_tests.case_file import read_cases
from importer.mapping_tests.naming import TEST_ENDING, is_mapping
from importer.yamlfile import FileFault

#: Folders of other programs, in which nobody keeps mappings.
_FOREIGN: Final = frozenset({"node_modules", "__pycache__"})


@dataclass(slots=True)
class Search:
    """Hold the files that were found, each once, and what is wrong with the places that were named."""

    files: list[Path] = field(default_factory=list)
    faults: list[FileFault] = field(default_factory=list)

    def add(self, files: Iterable[Path]) -> None:
        """Note files that are not noted yet."""
        self.files += [file for file in dict.fromkeys(files) if file not in self.files]


def find_tests(places: Iterable[Path]) -> Search:
    """Return the test files of places: of a folder all below it, of a mapping those about it, else the file itself."""
    found = Search()
    for place in places:
        if place.is_dir():
            files = [file for file in _below(place) if file.name.endswith(TEST_ENDING)]
            fault = f"There is no test of a mapping in this folder: no file is named NAME{TEST_ENDING}."
        elif is_mapping(place):
            files = list(_about(place))
            fault = f"There is no test of this mapping beside it, such as {place.stem}{TEST_ENDING}."
        else:
            files, fault = [place], ""
        if not files:
            hint = "Write one; README shows how under 'Tests of mappings'."
            found.faults.append(FileFault(file=str(place), message=fault, hint=hint))
        found.add(files)
    return found


def find_mappings(places: Iterable[Path]) -> Search:
    """Return the mappings among files and below folders; other files are passed over."""
    found = Search()
    for place in places:
        if not place.exists():
            found.faults.append(FileFault(file=str(place), message="There is no such file or folder."))
        found.add(file for file in (_below(place) if place.is_dir() else [place]) if is_mapping(file))
    return found


def _about(mapping: Path) -> Iterator[Path]:
    """Yield the test files beside a mapping that are about it, and those of which that cannot be told."""
    for test in sorted(mapping.parent.glob(f"*{TEST_ENDING}")):
        try:
            about = read_cases(test).mapping
        except MappingError:
            yield test
            continue
        if about.resolve() == mapping.resolve():
            yield test


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their names, hidden folders left out."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _FOREIGN)
        yield from (Path(place) / name for name in sorted(files))
