"""Read a migration: mappings in the order in which they run, each with its workbook, parameters and stop rules."""

import os
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from importer import resources
from importer.errors import MappingError, UsageError
from importer.schemacheck import as_boolean, check, load_schema
from importer.yamlfile import YamlFile, YamlPath, did_you_mean, load

_RULES: Final = ("same_rejections", "unreachable", "failures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Hold one step: which mapping, with what."""

    #: None for the mapping's own name
    name: str | None
    mapping: Path
    #: None for the mapping's own
    workbook: Path | None = None
    #: SHA-256 that the workbook must have; None for any
    sha256: str | None = None
    parameters: Dictionary[str, str] = field(default_factory=dict)
    #: by name as in the file: same_rejections, unreachable, failures
    stop: Dictionary[str, int] = field(default_factory=dict)
    skip_invalid: bool = False
    #: where it stands in the file
    place: YamlPath = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Hold a migration file, checked."""

    source: YamlFile = field(repr=False)
    name: str
    #: the target's name; None for the default one
    target: str | None
    steps: tuple[Step, ...]

    @property
    def folder(self) -> Path:
        """Return the folder that its paths start from."""
        return self.source.path.parent


def is_migration(path: Path) -> bool:
    """Tell whether a file is a migration, by what it holds or is called; one that cannot be read is none."""
    called = path.stem == "migration" or path.stem.endswith(".migration")
    try:
        raw = path.read_bytes()
        # a key can be written in another way only with a backslash; to parse the file twice takes long
        if not called and b"steps" not in raw and b"\\" not in raw:
            return False
        data = load(path).data
    except (OSError, MappingError):
        return False
    return isinstance(data, dict) and ("steps" in data or called) and "endpoint" not in data


def read_migration(path: Path) -> Migration:
    """Read and check a migration file.

    Raises: MappingError holding every fault, each with its line quoted; UsageError where the environment lacks a
    variable that it names.
    """
    file = load(path)
    faults = check(file, load_schema(resources.schemas() / "migration.schema.json"))
    if not faults:
        names: dict[str, int] = {}
        for place, data in enumerate(file.data["steps"]):
            if "name" in data and names.setdefault(str(data["name"]), place) != place:
                faults.append(file.fault(("steps", place, "name"), f"Two steps are named {str(data['name'])!r}."))
            if not (path.parent / str(data["mapping"])).is_file():
                there = [str(one.relative_to(path.parent)) for one in path.parent.rglob("*.y*ml")]
                hint = did_you_mean(str(data["mapping"]), sorted(there))
                faults.append(file.fault(("steps", place, "mapping"), "There is no such mapping.", hint=hint))
    if faults:
        raise MappingError("\n".join(map(str, faults)), tuple(faults))
    return Migration(
        source=file,
        name=str(file.data.get("name") or path.stem.removesuffix(".migration")),
        target=str(file.data["target"]) if file.data.get("target") else None,
        steps=tuple(_step(file, data, ("steps", place)) for place, data in enumerate(file.data["steps"])),
    )


def _step(file: YamlFile, data: dict[str, Any], place: YamlPath) -> Step:
    folder = file.path.parent
    workbook, digest = _workbook(data.get("workbook"), folder)
    return Step(
        name=str(data["name"]) if data.get("name") else None,
        mapping=folder / str(data["mapping"]),
        workbook=workbook,
        sha256=digest,
        parameters={name: str(value) for name, value in data.get("parameters", {}).items()},
        stop={name: int(data["stop"][name]) for name in _RULES if name in data.get("stop", {})},
        skip_invalid=bool(as_boolean(data.get("skip_invalid"))),
        place=place,
    )


def _workbook(data: Any, folder: Path) -> tuple[Path | None, str | None]:
    """Return where a step's workbook is and the SHA-256 it must have."""
    if data is None:
        return None, None
    if isinstance(data, str):
        return folder / data, None
    digest = str(data["sha256"]).lower() if "sha256" in data else None
    if "env" not in data:
        return folder / str(data["file"]), digest
    named = os.environ.get(str(data["env"]), "").strip()
    if not named:
        raise UsageError(f"The environment variable {str(data['env'])!r}, which names a workbook, is not set. Set it.")
    return folder / named, digest
