"""Say where a name belongs that stands where a mapping does not know it."""

from collections.abc import Callable
from typing import Any

from importer.endpoints import table
from importer.fields import fields_of, leaves
from importer.yamlfile import YamlPath


def where_it_belongs(data: Any) -> Callable[[YamlPath, str, str], str]:
    """Return what advises on an unknown name of a mapping: its group, the name, and the nearest names there."""
    name = data.get("endpoint") if isinstance(data, dict) else None
    endpoint = table().get(name) if isinstance(name, str) else None
    if endpoint is None:
        return lambda _group, _name, near: near
    members = dict(fields_of(endpoint.name))
    lines = members.pop(endpoint.lines).members if endpoint.lines else None
    known = {("fields", *path) for path, _ in leaves(members)} | {("lines", *path) for path, _ in leaves(lines or {})}
    known |= {("fields", "period")} if endpoint.period else set()
    groups = {path[:end] for path in known for end in range(len(path))}

    def advice(group: YamlPath, name: str, near: str) -> str:
        names = tuple(str(step) for step in group if isinstance(step, str))
        if names not in groups:
            # an option of a field
            return near
        homes = sorted(".".join(path[:-1]) for path in known if path[-1] == name)
        if homes:
            return f"It belongs in {' or '.join(map(repr, homes))}."
        return near or f"The fields are listed by: visma-import endpoints {endpoint.name}"

    return advice
