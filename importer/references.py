"""Find out which endpoint makes the documents that a mapping refers to by name."""

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from importer.endpoints import table
from importer.errors import MappingError
from importer.mapping import Mapping
from importer.mapping_file import name_of
from importer.yamlfile import FileFault, did_you_mean, load

#: As many files of a project are looked through for a mapping's name.
_MAX_FILES: Final = 2000
_LEFT_OUT: Final = frozenset({"reports", "node_modules"})
#: As many folders above a project are looked into for the migration that a mapping is a step of.
_MAX_ABOVE: Final = 4


class _Known(NamedTuple):
    """Hold one mapping of a project by one of its names."""

    name: str
    endpoint: str
    file: Path


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
        others = [one for one in _mappings(folder) if one.name == name and one.file != mapping.source.path.resolve()]
        if len(others) == 1:
            found[name] = others[0].endpoint
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
    others: list[_Known],
    steps: Dictionary[str, str],
) -> FileFault:
    if others:
        files = " and ".join(repr(str(one.file.relative_to(folder))) for one in others[:2])
        message = f"{name!r} is the name of two mappings: {files}. Give one of them another name."
        return mapping.source.fault(place, message)
    if name == mapping.name:
        return mapping.source.fault(place, "A document cannot refer to one of its own mapping.")
    known = sorted({*steps, *(one.name for one in _mappings(folder))} - {mapping.name})
    message = f"No step before this one and no mapping of this project is named {name!r}."
    hint = did_you_mean(name, known)
    outer = None if hint else _migration_above(mapping.source.path.resolve(), folder)
    if outer is not None:
        hint = (
            f"This mapping is a step of {str(outer)!r}, whose folder is another project with a journal of its own. Put "
            "targets.yaml beside it, so that its steps are one project, or run it as --step of that one."
        )
    return mapping.source.fault(place, message, hint=hint)


def _migration_above(mapping: Path, folder: Path) -> Path | None:
    """Return the migration in a folder above the project's that names a mapping as a step."""
    for outer in list(folder.parents)[:_MAX_ABOVE]:
        for file in sorted(outer.glob("*.y*ml"))[:_MAX_FILES]:
            if any((outer / str(step["mapping"])).resolve() == mapping for step in _steps(_read(file))):
                return file
    return None


def _mappings(folder: Path) -> Iterator[_Known]:
    """Yield each mapping in a project by each of its names, those that steps give it among them."""
    told: set[_Known] = set()
    for path in islice(_files(folder), _MAX_FILES):
        data = _read(path)
        found = [_known(path, data, None)]
        for step in _steps(data):
            file = path.parent / str(step["mapping"])
            if step.get("name") and file.is_file():
                found.append(_known(file, _read(file), str(step["name"])))
        for one in found:
            if one is not None and one not in told:
                told.add(one)
                yield one


def _known(file: Path, data: Any, name: str | None) -> _Known | None:
    """Return a file that is a mapping by its name, or by the one that a step gives it."""
    if not isinstance(data, dict) or "key" not in data or data.get("endpoint") not in table():
        return None
    return _Known(name or name_of(file, data), str(data["endpoint"]), file.resolve())


def _steps(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the steps of what may be a migration, or any other file."""
    steps = data.get("steps") if isinstance(data, dict) and "endpoint" not in data else None
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and "mapping" in step:
            yield step


def _read(file: Path) -> Any:
    try:
        return load(file).data
    except MappingError:
        return None


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.y*ml")):
        steps = path.relative_to(folder).parts
        if path.suffix in {".yaml", ".yml"} and not any(s.startswith(".") or s in _LEFT_OUT for s in steps):
            yield path
