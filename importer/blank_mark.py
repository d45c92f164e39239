"""Carry in a workbook which mapping it was made from, and tell where that is not the mapping at hand."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from importer.errors import WorkbookError
from importer.mapped_columns import version_of
from importer.mapping import Mapping
from importer.model import Problem
from importer.workbook import opened_archive

#: Custom document property of a workbook.
PROPERTY: Final = "visma-import workbook"
_PART: Final = "docProps/custom.xml"
_LARGEST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class BlankMark:
    """Say which mapping a workbook was made from, by its name and the version of its columns."""

    mapping: str
    version: str

    def dump(self) -> str:
        """Write the mark as the text of a document property."""
        return json.dumps({"mapping": self.mapping, "version": self.version})


def mark_of(mapping: Mapping) -> BlankMark:
    """Return the mark of workbooks made from a mapping as it is now."""
    return BlankMark(mapping.name, version_of(mapping))


def carried_mark(file: Path) -> BlankMark | None:
    """Return the mark that a workbook carries; None for one that was not made by this program."""
    from defusedxml.ElementTree import fromstring

    with suppress(WorkbookError), opened_archive(file, file.name) as archive:
        if archive.getinfo(_PART).file_size > _LARGEST:
            return None
        for node in fromstring(archive.read(_PART)):
            if node.get("name") == PROPERTY:
                return loaded("".join(node.itertext()))
    return None


def loaded(text: str) -> BlankMark | None:
    """Return the mark that a document property holds; None where it holds something else."""
    with suppress(ValueError, KeyError, TypeError):
        raw = json.loads(text)
        return BlankMark(str(raw["mapping"]), str(raw["version"]))
    return None


def outdated(mapping: Mapping, carried: BlankMark | None) -> list[Problem]:
    """Warn where a workbook was made from another mapping, or from an earlier version of this one."""
    if carried is None or carried == mark_of(mapping):
        return []
    again = "Make a new one: visma-import workbook. Or see that every column is still filled in as it is meant."
    if carried.mapping != mapping.name:
        message = f"The workbook was made for the mapping {carried.mapping!r}, and this is {mapping.name!r}. {again}"
        return [Problem(code="template_other_mapping", message=message)]
    message = f"The columns of the mapping {mapping.name!r} were changed after this workbook was made from it. {again}"
    return [Problem(code="template_outdated", message=message)]
