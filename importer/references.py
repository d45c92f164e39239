"""Find out which endpoint makes the documents that a mapping refers to by name."""

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Final

from importer.endpoints import table
from importer.errors import MappingError
from importer.mapping import Mapping
from importer.mapping_file import name_of
from importer.yamlfile import FileFault, did_you_mean, load

#: As many files of a project are looked through for a mapping's name.
_MAX_FILES: Final = 2000
_LEFT_OUT: Final = frozenset({"reports", "node_modules"})


def origins(mapping: Mapping, folder: Path, steps: Dictionary[str, str]) -> dict[str, str]:
    """Return the endpoint that makes the documents of each name a mapping refers to.

    `steps` are the earlier steps of its sequence by name; outside of one, and for other names, the mapping of that name
    in the project folder is meant.

    Raises: MappingError at the place of each name that is not known, or that two mappings have.
    """
    found: dict[str, str] = {}
    faults: list[FileFault] = []
    for rule in mapping.referred:
        name = rule.document.name if rule.document else ""
        if name in found:
            continue
        if name in steps:
            found[name] = steps[name]
            continue
        others = [one for one in _mappings(folder) if one[0] == name and one[2] != mapping.source.path.resolve()]
        if len(others) == 1:
            found[name] = others[0][1]
        else:
            faults.append(_fault(mapping, (*rule.place, "document"), name, folder, others, steps))
    if faults:
        raise MappingError("\n".join(map(str, faults)), tuple(faults))
    return found


def _fault(
    mapping: Mapping,
    place: tuple[str | int, ...],
    name: str,
    folder: Path,
    others: list[tuple[str, str, Path]],
    steps: Dictionary[str, str],
) -> FileFault:
    if others:
        files = " and ".join(repr(str(path.relative_to(folder))) for _, _, path in others[:2])
        message = f"{name!r} is the name of two mappings: {files}. Give one of them another name."
        return mapping.source.fault(place, message)
    if name == mapping.name:
        return mapping.source.fault(place, "A document cannot refer to one of its own mapping.")
    known = sorted({*steps, *(one[0] for one in _mappings(folder))} - {mapping.name})
    message = f"No step before this one and no mapping of this project is named {name!r}."
    return mapping.source.fault(place, message, hint=did_you_mean(name, known))


def _mappings(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield name, endpoint and file of each mapping in a project, also by the names of steps."""
    for count, path in enumerate(sorted(_files(folder))):
        if count >= _MAX_FILES:
            return
        try:
            data = load(path).data
        except MappingError:
            continue
        if not isinstance(data, dict):
            continue
        if data.get("endpoint") in table() and "key" in data:
            yield name_of(path, data), str(data["endpoint"]), path.resolve()
        for step in data.get("steps", ()) if "endpoint" not in data else ():
            file = path.parent / str(step.get("mapping")) if isinstance(step, dict) else path
            if isinstance(step, dict) and step.get("name") and file.is_file():
                own = load(file).data
                if isinstance(own, dict) and own.get("endpoint") in table() and name_of(file, own) != step["name"]:
                    yield str(step["name"]), str(own["endpoint"]), file.resolve()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*.y*ml"):
        steps = path.relative_to(folder).parts
        if path.suffix in {".yaml", ".yml"} and not any(s.startswith(".") or s in _LEFT_OUT for s in steps):
            yield path
