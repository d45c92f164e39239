"""What the head of an answer says is read whatever its form, and never for another document."""

from pathlib import Path

import pytest
from end_to_end import RawServer, created, import_into, invoice_rows, make_project


@pytest.mark.parametrize("name", ["location", "LOCATION", "Location"])
def test_the_number_is_read_whatever_the_casing_of_its_header(tmp_path: Path, name: str) -> None:
    """A proxy that writes names of headers in its own way hides no number."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    answer = created("100001").replace(b"Location:", f"{name}:".encode())
    with RawServer(lambda *_: answer) as server:
        ran = import_into(project, server.base_url)

    assert (ran.code, ran.documents[0]["status"], ran.documents[0]["number"]) == (0, "accepted", "100001")
