"""Where documents are sent: targets.yaml in the project folder, read into targets that never show a secret."""

import os
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from importer import resources
from importer.errors import MappingError, TargetError, reason_of
from importer.schemacheck import as_boolean, check, load_schema
from importer.yamlfile import FileFault, YamlFile, YamlPath, did_you_mean, load

SANDBOX: Final = "sandbox"
_BASE_URL: Final = "https://api.finance.visma.net"
_TOKEN_URL: Final = "https://connect.visma.com/connect/token"  # noqa: S105 - an address
_SCOPE: Final = "vismanet_erp_service_api:read vismanet_erp_service_api:create vismanet_erp_service_api:update"
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


class Secret:
    """Hold a text that no message, log or repr shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one request that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Hold one company to send to."""

    name: str
    base_url: str
    token_url: str = ""
    #: what tells companies apart in the journal, lower case
    company: str
    client_id: Secret | None = None
    client_secret: Secret | None = None
    scope: str = _SCOPE
    production: bool = False
    default: bool = False
    #: regime by resource; "" holds for all others
    numbering: Dictionary[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    proxy: str | None = None
    #: how long to wait for the next byte of an answer; None as usual
    timeout_s: float | None = None

    @property
    def simulated(self) -> bool:
        """Tell whether it is the embedded sandbox, so that nothing reaches Visma."""
        return self.name == SANDBOX

    @property
    def loopback(self) -> bool:
        """Tell whether it is served on this machine."""
        return is_loopback(self.base_url)


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine's own."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def sandbox_target(base_url: str, company: str) -> Target:
    """Return the embedded sandbox as a target."""
    return Target(name=SANDBOX, base_url=base_url, company=company.lower())


def choose(folder: Path, name: str | None) -> str | Target:
    """Return the target to use: the named one, the default of targets.yaml, or `sandbox`.

    Raises: MappingError for mistakes in targets.yaml; TargetError when the target is not declared or has no secret.
    """
    path = folder / "targets.yaml"
    if name == SANDBOX or (name is None and not path.is_file()):
        return SANDBOX
    if not path.is_file():
        raise TargetError(
            f"The target {name!r} is not known: {str(folder)!r} has no targets.yaml. Make one, or leave --target out."
        )
    try:
        reader = _Reader(load(path))
    except MappingError as error:
        raise _without_quotes(error) from None
    if name is None:
        name = reader.default()
    return SANDBOX if name is None else reader.target(name)


def _without_quotes(error: MappingError) -> MappingError:
    """Return the error without the lines it quotes: whatever is wrong with one, it may hold a secret."""
    faults = tuple(replace(fault, quote="***") for fault in error.errors if isinstance(fault, FileFault))
    return MappingError("\n".join(map(str, faults)), faults) if faults else error


class _Reader:
    """Read targets.yaml, collecting its mistakes."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.faults = check(file, load_schema(resources.schemas() / "targets.schema.json"))
        data = file.data if isinstance(file.data, dict) else {}
        self.data: dict[str, Any] = {name: value for name, value in data.items() if isinstance(value, dict)}
        for name, value in self.data.items():
            self._check_urls(name, value)
            secret = value.get("client_secret")
            if isinstance(secret, str):
                self._secret_typed(name)
        if SANDBOX in self.data:
            self._fault((SANDBOX,), "'sandbox' is the embedded one and cannot be declared.", "Choose another name.")
        defaults = [name for name, value in self.data.items() if as_boolean(value.get("default"))]
        for name in defaults[1:]:
            self._fault((name, "default"), f"{defaults[0]!r} is the default already; there can be one.")
        if self.faults:
            raise MappingError("\n".join(str(fault) for fault in self.faults), tuple(self.faults))

    def _fault(self, place: YamlPath, message: str, hint: str = "") -> None:
        self.faults.append(self.file.fault(place, message, hint=hint))

    def _secret_typed(self, name: str) -> None:
        place: YamlPath = (name, "client_secret")
        self.faults = [fault for fault in self.faults if fault.mark != self.file.marks.get(place)]
        hint = "Put it into an environment variable: client_secret: {env: VISMA_CLIENT_SECRET}"
        self._fault(place, "A secret must not stand in this file.", hint)

    def _check_urls(self, name: str, data: dict[str, Any]) -> None:
        for part in ("base_url", "token_url", "proxy"):
            url = data.get(part)
            if isinstance(url, str) and part != "proxy":
                reason = _refuse_url(url)
                if reason:
                    self._fault((name, part), f"The address {_without_user(url)!r} {reason}")

    def default(self) -> str | None:
        """Return the name of the default target."""
        return next((name for name, value in self.data.items() if as_boolean(value.get("default"))), None)

    def target(self, name: str) -> Target:
        """Return one target with its secrets."""
        if name not in self.data:
            hint = did_you_mean(name, [*self.data, SANDBOX])
            raise TargetError(f"The target {name!r} is not declared in {self.file.name!r}. {hint}".rstrip())
        data = self.data[name]
        numbering = data.get("numbering", {})
        return Target(
            name=name,
            base_url=str(data.get("base_url", _BASE_URL)).rstrip("/"),
            token_url=str(data.get("token_url", _TOKEN_URL)),
            company=str(data["tenant_id"]).lower(),
            client_id=self._secret(name, "client_id"),
            client_secret=self._secret(name, "client_secret"),
            scope=str(data.get("scope", _SCOPE)),
            production=bool(as_boolean(data.get("production"))),
            default=bool(as_boolean(data.get("default"))),
            numbering={"": str(numbering)} if isinstance(numbering, str) else dict(numbering),
            ca_file=self._certificates(name) if "ca_file" in data else None,
            proxy=data.get("proxy"),
            timeout_s=timedelta(milliseconds=int(Decimal(data["timeout"]) * 1000)).total_seconds()
            if "timeout" in data
            else None,
        )

    def _certificates(self, name: str) -> Path:
        """Return the file of certificates that a target trusts, which is looked into before anything is sent.

        Raises: MappingError when it cannot be read or holds none.
        """
        # only where there is such a file: it takes a while to import
        import ssl

        file = self.file.path.parent / str(self.data[name]["ca_file"])
        try:
            # a folder is looked into when a certificate is wanted
            if not file.is_dir():
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        except OSError as error:
            reason = "it holds no certificates in PEM" if isinstance(error, ssl.SSLError) else reason_of(error)
            hint = "Name a file of certificates, relative to this one."
            self._fault((name, "ca_file"), f"The certificates to trust cannot be read: {reason}.", hint)
            raise MappingError(str(self.faults[-1]), (self.faults[-1],)) from None
        return file

    def _secret(self, name: str, part: str) -> Secret:
        source = self.data[name][part]
        if isinstance(source, str):
            return Secret(source)
        if "env" in source:
            text = os.environ.get(source["env"], "")
            if not text.strip():
                raise TargetError(
                    f"The environment variable {source['env']!r}, which holds the {part} of target {name!r}, is not "
                    "set. Set it, then run again."
                )
            return Secret(text.strip())
        try:
            text = read_secret(self.file.path.parent / source["file"])
        except (OSError, UnicodeDecodeError):
            text = ""
        if not text:
            raise TargetError(
                f"The file {source['file']!r}, which holds the {part} of target {name!r}, cannot be read or is empty."
            )
        return Secret(text)


def read_secret(file: Path) -> str:
    """Return what a mounted file holds, without the mark, spaces and line ends that editors leave around it.

    Raises: OSError, UnicodeDecodeError.
    """
    return file.read_text(encoding="utf-8-sig").strip()


def _seconds(text: str) -> float:
    return timedelta(milliseconds=int(Decimal(text) * 1000)).total_seconds()


def _refuse_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        return "is not an address."
    if parts.scheme not in {"https", "http"} or not parts.hostname or not port_ok:
        return "is not an address such as https://api.finance.visma.net."
    if parts.username or parts.password or "@" in parts.netloc:
        return "must not hold a user or a password."
    if parts.query or parts.fragment:
        return "must not hold a query."
    if parts.scheme == "http" and not is_loopback(url):
        return "is not encrypted: write https. (http is for this machine's own addresses only.)"
    return ""


def _without_user(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if "@" in rest else url
