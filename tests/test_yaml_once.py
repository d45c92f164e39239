"""A file is parsed once: what is composed of its events is what YAML's own composer makes of its text."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from importer.migration import is_migration
from importer.yamlfile import YamlFile, _bounded, _Composer

ROOT = Path(__file__).parents[1]
FILES = sorted({*ROOT.glob("samples/**/*.y*ml"), *ROOT.glob("schemas/*.yaml"), *ROOT.glob("tests/cases/*/*.yaml")})


def told(node: Any) -> Any:
    """Return all that is read of a node: kind, text, style, places."""
    inner: Any = node.value
    if isinstance(node, yaml.MappingNode):
        inner = [(told(key), told(value)) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [told(item) for item in node.value]
    mark = node.start_mark
    return type(node), inner, getattr(node, "style", None), (mark.line, mark.column)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_what_is_composed_is_what_yaml_composes(file: Path) -> None:
    """Each file of this repository that can be read, with anchors and aliases or without."""
    text = file.read_text(encoding="utf-8-sig")
    blank = YamlFile(path=file, name=file.name, lines=tuple(text.splitlines()), data=None, marks={}, key_marks={})
    try:
        wanted = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        with pytest.raises(type(error)):
            _Composer(_bounded(text, blank)).get_single_node()
        return

    assert told(_Composer(_bounded(text, blank)).get_single_node()) == told(wanted)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("steps: []\n", True),
        ('"st\\x65ps": []\n', True),
        ("'steps': []\n", True),
        ("step: []\n", False),
        ("endpoint: customer.create\nsteps: []\n", False),
        ("steps\n", False),
        ("a: &x [b]\nc: *y\n", False),
    ],
)
def test_a_migration_is_known_however_its_key_is_written(tmp_path: Path, text: str, *, is_one: bool) -> None:
    """What has steps and no endpoint is one, whatever the file is called; what cannot be read is none."""
    file = tmp_path / "some.yaml"
    file.write_text(text, encoding="utf-8")

    assert is_migration(file) is is_one
    assert not is_migration(tmp_path / "missing.yaml")
