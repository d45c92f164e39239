"""Fixtures for runs that are struck at one exact moment: who strikes, and the firm whose runs they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import BOTH
from firm import Firm, open_firm
from killing import Killer

#: How many invoices the firm imports.
COUNT = 6


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    """Return who starts runs and strikes them."""
    with Killer(tmp_path_factory.mktemp("killer")) as opened:
        yield opened


@pytest.fixture(params=BOTH)
def firm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Firm]:
    """Return a firm with its journal on each of the databases."""
    with open_firm(request.param, tmp_path, COUNT) as opened:
        yield opened
