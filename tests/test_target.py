"""targets.yaml: which target is meant, and no mistake in it shows a secret or gives a token away."""

import json
from pathlib import Path
from typing import Any

import pytest
from sessions import CLIENT, SECRET, TENANT, Answers, session_with, target_at, token_answer

from importer.errors import MappingError, TargetError
from importer.target import SANDBOX, Target, choose

GOOD = {
    "tenant_id": TENANT,
    "client_id": {"env": "VISMA_CLIENT_ID"},
    "client_secret": {"env": "VISMA_CLIENT_SECRET"},
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMA_CLIENT_ID", CLIENT)
    monkeypatch.setenv("VISMA_CLIENT_SECRET", SECRET)


def declare(folder: Path, **targets: dict[str, Any]) -> Path:
    (folder / "targets.yaml").write_text(json.dumps(targets, indent=1), encoding="utf-8")
    return folder


def chosen(folder: Path, name: str | None = None) -> Target:
    found = choose(folder, name)
    assert isinstance(found, Target)
    return found


def refusal(folder: Path, **targets: dict[str, Any]) -> str:
    """Return why targets.yaml is refused."""
    with pytest.raises(MappingError) as refused:
        choose(declare(folder, **targets), None)
    return str(refused.value)


def test_a_secret_typed_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """The message says where a secret belongs, and quotes none."""
    said = refusal(tmp_path, test={**GOOD, "client_secret": SECRET})

    assert "A secret must not stand in this file." in said
    assert "{env: VISMA_CLIENT_SECRET}" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "text",
    [
        "test:\n  client_secrt: {0}\n",
        "test:\n  password: {0}\n",
        "test:\n  client_secret: {{value: {0}}}\n",
        "test:\n  client_secret: [{0}]\n",
        "test:\n  client_secret: {0}: {0}\n",
        "test:\n  client_secret: @{0}\n",
        "test:\n  client_secret: {0}\n  client_secret: {0}\n",
        'test:\n  client_secret: "{0}\n  a: b\n',
        "test: {{client_secret: {0}, bogus: 1}}\n",
        "test:\n  base_url: https://me:{0}@api.example\n",
        "test: {{proxy: 'http://me:{0}@proxy.example:1', bogus: 1}}\n",
    ],
)
def test_no_mistake_in_the_file_shows_a_secret(tmp_path: Path, text: str) -> None:
    """Whatever is wrong around it, the line that holds a secret is not quoted."""
    (tmp_path / "targets.yaml").write_text(text.format(SECRET), encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        choose(tmp_path, "test")

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.errors)


def test_a_secret_that_stands_in_two_places_is_told(tmp_path: Path) -> None:
    """One of them would be read and the other not."""
    message = refusal(tmp_path, test={**GOOD, "client_secret": {"env": "A", "file": "b"}})

    assert "'test.client_secret' holds 'env' and 'file'." in message
    assert "Keep 1 of them." in message


@pytest.mark.parametrize("part", ["base_url", "token_url"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://api.finance.visma.net", "write https"),
        ("http://127.0.0.1.example.com", "write https"),
        ("http://localhost.example.com/a", "write https"),
        ("https://me:hunter2@api.finance.visma.net", "must not hold a user or a password"),
        ("https://me@api.finance.visma.net", "must not hold a user or a password"),
        ("http://127.0.0.1@evil.example", "must not hold a user or a password"),
        ("https://api.finance.visma.net?a=b", "must not hold a query"),
        ("api.finance.visma.net", "is not an address"),
        ("ftp://api.finance.visma.net", "is not an address"),
        ("https://", "is not an address"),
        ("https://a:99999", "is not an address"),
    ],
)
def test_addresses_that_would_give_a_token_away_are_refused(tmp_path: Path, part: str, url: str, said: str) -> None:
    """Without TLS nothing leaves this machine, and nobody writes a password into an address."""
    message = refusal(tmp_path, test={**GOOD, part: url})

    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url", ["http://localhost:8377", "http://127.0.0.1:1/x", "http://[::1]:8377", "https://a.example"]
)
def test_this_machine_may_be_reached_without_tls(tmp_path: Path, url: str) -> None:
    """Loopback addresses never leave the machine; a slash at the end is not doubled."""
    target = chosen(declare(tmp_path, test={**GOOD, "base_url": url + "/", "token_url": url, "default": True}))

    assert target.base_url == url
    assert target.loopback is url.startswith("http:")


def test_one_default_at_most_and_no_target_called_sandbox(tmp_path: Path) -> None:
    """Both mistakes are told at once, each at its place."""
    said = refusal(tmp_path, a={**GOOD, "default": True}, b={**GOOD, "default": True}, sandbox=GOOD)

    assert "'a' is the default already" in said
    assert "'sandbox' is the embedded one and cannot be declared." in said


def test_which_target_is_meant(tmp_path: Path) -> None:
    """The named one, else the default, else the sandbox; a name that is nearly right gets the right one told."""
    assert choose(tmp_path, None) == SANDBOX
    with pytest.raises(TargetError, match=r"has no targets\.yaml"):
        choose(tmp_path, "production")
    declare(tmp_path, test=GOOD, production={**GOOD, "production": True})
    assert choose(tmp_path, None) == SANDBOX
    assert choose(tmp_path, "sandbox") == SANDBOX
    assert chosen(tmp_path, "production").production
    with pytest.raises(TargetError, match="Did you mean 'production'"):
        choose(tmp_path, "prodution")
    declare(tmp_path, test={**GOOD, "default": True}, production={**GOOD, "production": True})
    target = chosen(tmp_path)
    assert (target.name, target.company, target.simulated) == ("test", TENANT, False)
    assert target.base_url == "https://api.finance.visma.net"
    assert target.token_url == "https://connect.visma.com/connect/token"


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both work, relative to targets.yaml and without the line's end; what is missing is named."""
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n", encoding="utf-8")
    declare(tmp_path, test={**GOOD, "client_id": "plain", "client_secret": {"file": "secret.txt"}})
    target = chosen(tmp_path, "test")
    assert target.client_id is not None
    assert target.client_secret is not None
    assert (target.client_id.reveal(), target.client_secret.reveal()) == ("plain", SECRET)

    monkeypatch.setenv("VISMA_CLIENT_SECRET", "  ")
    declare(tmp_path, test=GOOD)
    with pytest.raises(TargetError, match=r"'VISMA_CLIENT_SECRET', which holds the client_secret of target 'test'"):
        choose(tmp_path, "test")
    for name, content in (("gone.txt", None), ("empty.txt", b"\n"), ("binary.txt", b"\xff\xfe\x00")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        declare(tmp_path, test={**GOOD, "client_secret": {"file": name}})
        with pytest.raises(TargetError, match=f"'{name}', which holds the client_secret"):
            choose(tmp_path, "test")


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    """Not of the secret, the target, the token source or the session."""
    target = chosen(declare(tmp_path, test=GOOD), "test")
    with (
        Answers(lambda _n, _r: token_answer("planted-token")) as server,
        session_with(target_at(server.base_url)) as session,
    ):
        assert session.tokens is not None
        assert session.tokens.token() == "planted-token"
        shown = f"{target!r} {target} {target.client_secret!s} {session!r} {session.tokens!r} {session.client!r}"

    for planted in (SECRET, CLIENT, "planted-token"):
        assert planted not in shown


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file or directory"), ("", "no certificates in PEM"), ("rubbish", "no certificates in PEM")],
)
def test_certificates_that_cannot_be_read_are_a_mistake_in_the_file(
    tmp_path: Path, content: str | None, said: str
) -> None:
    """Of the target that is used, at its place and before anything is sent; else it looks like a cut connection."""
    if content is not None:
        (tmp_path / "ours.pem").write_text(content, encoding="utf-8")
    declare(tmp_path, test={**GOOD, "ca_file": "ours.pem"}, other=GOOD)

    with pytest.raises(MappingError) as refused:
        choose(tmp_path, "test")
    assert said in str(refused.value)
    assert "ca_file" in str(refused.value)
    assert "relative to this one" in str(refused.value)
    assert chosen(tmp_path, "other").ca_file is None
