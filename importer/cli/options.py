"""The options that several commands have."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from importer.cli.variables import journal_address

if TYPE_CHECKING:
    from pathlib import Path

Command = Callable[..., Any]


class _File(click.Path):
    """Take the path of a file or folder as a `pathlib.Path`, which is imported once there is one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Path":
        from pathlib import Path

        return Path(os.fsdecode(super().convert(value, param, ctx)))


#: A file that may be read or not: what reads it says why it cannot.
FILE: Final = _File(readable=False)
FORCE: Final = click.option("--force", is_flag=True, help="Overwrite the file, where there is one.")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Machine-readable on stdout, nothing else there.")
QUIET: Final = click.option("--quiet", is_flag=True, help="Only what matters.")
DEBUG: Final = click.option("--debug", is_flag=True, expose_value=False, help="Show where a failure came from.")
JOURNAL: Final = click.option(
    "--journal",
    "where",
    metavar="PATH|URL",
    callback=journal_address,
    help="The journal: a file, or postgresql+psycopg://USER@HOST/DATABASE.",
)


def target_option(purpose: str) -> Callable[[Command], Command]:
    """Return the option that names a target; `purpose` begins its help."""
    return click.option("--target", metavar="NAME", help=f"{purpose}; default: as targets.yaml says, or sandbox.")


def with_options(
    *options: Callable[[Command], Command], everywhere: tuple[Callable[[Command], Command], ...] = (JSON, QUIET, DEBUG)
) -> Callable[[Command], Command]:
    """Return a decorator that gives a command options, shown in this order, then those that every command has."""

    def decorate(command: Command) -> Command:
        for option in reversed((*options, *everywhere)):
            command = option(command)
        return command

    return decorate
