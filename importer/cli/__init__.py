"""The command line: arguments in, exit codes out. The only package that prints or exits.

`commands` declares the commands, `inputs` reads what they are given, `sending` carries a run out, `screen` writes for
people, `job` tells the service that runs a job. Everything heavy is imported where it is used, so that the program
starts at once.
"""

from collections.abc import Sequence
from typing import Any

import click

from importer.cli.stream import printable, say
from importer.errors import ImportFailed, MappingError, StartError, UsageError


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; nothing but `--debug` shows a traceback."""
    from importer.cli import variables
    from importer.cli.commands import cli

    variables.name_variables(cli)
    for text in variables.unheard(cli):
        _tell(text)
    try:
        result = cli.main(args=list(arguments), prog_name="visma-import", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        if variables.flag("json", arguments):
            _print_errors(error.exit_code, [{"message": error.format_message()}])
        error.show()
        if origin := variables.origin(error):
            _tell(origin)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _tell("Stopped by hand; nothing was sent.")
        return StartError.exit_code
    except ImportFailed as error:
        _show_failure(error, arguments)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort: a bug, told in one line
        if variables.flag("debug", arguments):
            _trace()
        _tell(
            f"visma-import has a bug: {type(error).__name__}. What was sent is in the journal. Run the command again "
            "with --debug and report what it shows."
        )
        return 1
    return result if isinstance(result, int) else 0


def _trace() -> None:
    import traceback

    traceback.print_exc()


def _tell(text: str) -> None:
    say(text, error=True)


def _show_failure(error: ImportFailed, arguments: Sequence[str]) -> None:
    from importer.cli import job, variables

    if variables.flag("debug", arguments):
        _trace()
    if variables.flag("json", arguments):
        from importer.cli.inputs import fault_row

        listed = [fault_row(fault) for fault in getattr(error, "errors", ())] or [{"message": str(error)}]
        _print_errors(error.exit_code, listed)
    _tell(printable(str(error)))
    if isinstance(error, UsageError) and (origin := variables.origin(error)):
        _tell(origin)
    job.failed(error, variables.choice("annotations", arguments))
    if isinstance(error, MappingError) and len(error.errors) > 1:
        _tell(f"{len(error.errors)} mistakes in the mapping.")


def _print_errors(code: int, listed: list[dict[str, Any]]) -> None:
    from importer.cli.inputs import print_json

    print_json({"format_version": 1, "exit_code": code, "errors": listed, "problems": [], "warnings": []})
