"""Tell tests and mappings among other YAML files, and the mapping that a test is about."""

import re
from pathlib import Path
from typing import Final

#: How the name of a file with tests ends.
TEST_ENDING: Final = ".test.yaml"
_YAML: Final = (".yaml", ".yml")
_NAMED_SO: Final = re.compile(r"(?:.*[.-])?mapping\.ya?ml")
#: What a mapping says at the start of a line and other YAML files do not, as bytes of a file that may be broken.
_SAYS_SO: Final = re.compile(rb"(?m)^endpoint[ \t]*:|^#[^\n]*[/=]mapping\.schema\.json")


def is_mapping(file: Path) -> bool:
    """Tell whether a file is meant as a mapping, also one that is broken: by its name, its tests or its text.

    That is one named `mapping.yaml` or `NAME.mapping.yaml`, one with tests of its name beside it, and one in which a
    line begins with `endpoint:` or names the schema of mappings.
    """
    if file.suffix not in _YAML or file.name.endswith(TEST_ENDING) or not file.is_file():
        return False
    if _NAMED_SO.fullmatch(file.name) or file.with_name(f"{file.stem}{TEST_ENDING}").is_file():
        return True
    try:
        return _SAYS_SO.search(file.read_bytes()) is not None
    except OSError:
        return False


def mapping_beside(test: Path) -> Path | str:
    """Return the mapping that a test file is about when it does not say, or why that is not certain."""
    stem = test.name.removesuffix(TEST_ENDING)
    for ending in _YAML:
        own = test.with_name(stem + ending)
        if own != test and own.is_file():
            return own
    beside = [file for file in sorted(test.parent.iterdir()) if is_mapping(file)]
    if len(beside) == 1:
        return beside[0]
    if not beside:
        return f"There is no {stem}.yaml and no other mapping beside this file, so it is not known what is tested."
    names = ", ".join(file.name for file in beside)
    return f"There is no {stem}.yaml, and {len(beside)} other mappings stand beside this file: {names}."
