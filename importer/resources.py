"""Where the program's own data files lie; the only module that knows their paths."""

from functools import cache
from pathlib import Path
from typing import Final

from importer.errors import ProgramError

_PACKAGE: Final = Path(__file__).resolve().parent


@cache
def data_folder() -> Path:
    """Return the folder that holds `schemas` and `templates`.

    A wheel carries them in `importer/_data`; a checkout and an editable install have them beside `importer`.

    Raises: ProgramError when neither is there.
    """
    for folder in (_PACKAGE / "_data", _PACKAGE.parent):
        if (folder / "schemas" / "endpoints.json").is_file():
            return folder
    raise ProgramError("The program's own schemas are missing: install visma-import again.")


def schemas() -> Path:
    """Return the folder of the JSON Schemas and of the endpoint table."""
    return data_folder() / "schemas"


def request_schema(endpoint: str) -> Path:
    """Return the file that describes the request body of an endpoint such as `customer.create`."""
    return schemas() / "requests" / f"{endpoint}.schema.json"


def templates() -> Path:
    """Return the folder of the bundled body templates."""
    return data_folder() / "templates"
