"""Let every option be given by the environment too, under one name for all commands: `VISMA_IMPORT_<OPTION>`.

A job's variables hold for each of its commands, so an option whose meaning depends on the command carries the command's
name (`VISMA_IMPORT_FETCH_OUTPUT`): two commands never write over one file because of one variable.
"""

import os
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final

import click

from importer.errors import JournalError, UsageError

PREFIX: Final = "VISMA_IMPORT_"
#: A mounted file that holds the journal's address, which holds a password.
JOURNAL_FILE: Final = f"{PREFIX}JOURNAL_FILE"
#: They mean something else in each command that has them.
_OWN_OPTIONS: Final = frozenset({"endpoint", "force", "key", "output", "run", "since", "status"})
#: The options of these choose what to list or to simulate, and share no more than the name with those of others.
_OWN_COMMANDS: Final = frozenset({"history", "sandbox"})
_EVERYWHERE: Final = frozenset({"debug", "journal", "json", "quiet"})
#: A person's word about a document is said to the one command that it is meant for, never by what a job has set.
_SPOKEN: Final = frozenset({"accepted", "not-there", "version"})


def name_variables(group: click.Group) -> None:
    """Name the variable of every option of a group's commands; once is enough, and twice does no harm."""
    for path, option in options_of(group):
        name = option.opts[-1].removeprefix("--")
        if option.envvar or name in _SPOKEN:
            continue
        own = name in _OWN_OPTIONS or (path[0] in _OWN_COMMANDS and name not in _EVERYWHERE)
        option.envvar = PREFIX + "_".join([*(path if own else ()), name]).replace("-", "_").upper()
        # the others are told in a sentence of their own: each by itself would double the length of every help
        option.show_envvar = own
        if option.multiple:
            option.type = copy(option.type)
            option.type.split_envvar_value = _lines  # type: ignore[assignment,method-assign]


def options_of(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Option]]:
    """Yield every option of a group's commands with the names of its command."""
    for name, command in group.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield (*path, name), parameter
        if isinstance(command, click.Group):
            yield from options_of(command, (*path, name))


def _lines(text: str) -> list[str]:
    """Split what a variable gives a repeatable option: one value a line, for a value may hold spaces."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def unheard(group: click.Group) -> list[str]:
    """Tell of each variable that looks like an option's and is none: a slip there would pass unseen."""
    known = {str(option.envvar) for _, option in options_of(group) if option.envvar} | {JOURNAL_FILE}
    found = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if not found:
        return []
    from importer.yamlfile import did_you_mean

    return [
        f"The environment variable {name} belongs to no option and does nothing. "
        f"{did_you_mean(name, sorted(known))}".rstrip()
        for name in found
    ]


def origin(error: click.ClickException | UsageError) -> str:
    """Say which variables a refused command line came from; empty where the environment had no part in it."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name:
        if error.ctx.get_parameter_source(error.param.name) is not click.core.ParameterSource.ENVIRONMENT:
            return ""
        return f"This was given by the environment variable {error.param.envvar}."
    found = sorted(name for name, text in os.environ.items() if name.upper().startswith(PREFIX) and text)
    return f"Set in the environment: {', '.join(found)}." if found else ""


def flag(name: str, arguments: Sequence[str]) -> bool:
    """Tell whether a command was given a flag, also where it failed before it could say so itself."""
    text = os.environ.get(f"{PREFIX}{name.upper()}", "")
    return f"--{name}" in arguments or bool(click.types.BoolParamType.str_to_bool(text))


def choice(name: str, arguments: Sequence[str]) -> str | None:
    """Return what a command was given for an option that takes a word, also where the command failed early."""
    for spot, argument in enumerate(arguments):
        if argument == f"--{name}":
            return next(iter(arguments[spot + 1 :]), None)
        if argument.startswith(f"--{name}="):
            return argument.partition("=")[2]
    return os.environ.get(f"{PREFIX}{name.upper()}") or None


def journal_address(context: click.Context, option: click.Parameter, given: str | None) -> str | None:
    """Return where the journal is: as the command or its variable says, else as a mounted file says.

    Raises: UsageError where two variables say it; JournalError where the file holds no address. Neither shows it.
    """
    file = os.environ.get(JOURNAL_FILE)
    if not file:
        return given
    source = context.get_parameter_source(option.name or "")
    if source is click.core.ParameterSource.ENVIRONMENT:
        raise UsageError(f"{option.envvar} and {JOURNAL_FILE} are both set. Set one of them.")
    return _address(file) if given is None else given


def _address(name: str) -> str:
    from pathlib import Path

    from importer.target import read_secret

    file, form = Path(name), "Write into it one line such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
    try:
        text = read_secret(file)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise JournalError(f"The file {str(file)!r}, which {JOURNAL_FILE} names, cannot be read: {reason}.") from None
    except UnicodeDecodeError:
        raise JournalError(f"The file {str(file)!r}, which {JOURNAL_FILE} names, is not UTF-8 text. {form}") from None
    # what is no address would be taken for the name of a file, and shown
    if "://" not in text or len(text.split()) != 1:
        raise JournalError(f"The file {str(file)!r}, which {JOURNAL_FILE} names, holds no address. {form}")
    return text
