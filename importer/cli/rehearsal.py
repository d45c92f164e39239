"""Read from the command line what the sandbox shall do wrong, so that people can rehearse an outage."""

import re
from typing import Any, Final, get_args

from importer.errors import UsageError
from importer.sandbox import Fault, Settings
from importer.sandbox.settings import FaultKind
from importer.yamlfile import did_you_mean

_FORM: Final = re.compile(r"(?P<kind>[0-9a-z_]+)(?:@(?P<nth>[0-9]+))?(?:=(?P<match>.+))?")
_HANG_S: Final = 5.0


def read_fault(text: str) -> Fault:
    """Return the fault that `KIND[@N][=METHOD part-of-the-path]` asks for; without MATCH of any POST.

    Raises: UsageError.
    """
    found = _FORM.fullmatch(text.strip())
    kinds = list(get_args(FaultKind))
    if not found or found["kind"] not in kinds:
        word = found["kind"] if found else text
        raise UsageError(f"{text!r}: {word!r} is no fault. {did_you_mean(word, kinds)}".rstrip())
    return Fault(
        match=found["match"] or "POST /",
        kind=found["kind"],  # type: ignore[arg-type]  # one of the kinds, as was just seen
        nth=int(found["nth"]) if found["nth"] else None,
        delay_s=_HANG_S,
    )


def settings(fault: tuple[str, ...] = (), **wanted: Any) -> Settings:
    """Return the sandbox's settings from the options that were given."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return Settings(**given, faults=tuple(read_fault(text) for text in fault))
