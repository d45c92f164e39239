"""What tests with the faulty server share: a project that imports into it, its journal, an authority for TLS."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from end_to_end import TARGET, Ran, aim, run_here
from fault_server import FaultServer


@dataclass(frozen=True)
class Authority:
    """Hold an authority of our own and the certificate that it gave to 127.0.0.1."""

    ca_file: Path
    server: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """Make an authority and a server's certificate with the openssl command."""
    folder.mkdir()
    (folder / "leaf.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", encoding="utf-8")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for command in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test -addext keyUsage=critical,keyCertSign",
        f"req {key} -keyout leaf.key -out leaf.csr -subj /CN=127.0.0.1",
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.cnf -out leaf.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    return Authority(folder / "ca.pem", context)


@dataclass
class Bench:
    """Hold a project, its journal, and the server that it imports into."""

    project: Path
    journal: str
    server: FaultServer

    def aim(self, *more: str, host: str = "127.0.0.1", token_host: str | None = None) -> None:
        """Declare the server as the target; `more` are further lines of its declaration."""
        aim(self.project, self.server.base_url.replace("127.0.0.1", host), token_host)
        with (self.project / "targets.yaml").open("a", encoding="utf-8") as file:
            file.writelines(f"  {line}\n" for line in more)

    def run(self, *options: str) -> Ran:
        """Run the mapping, and see that what it says is what the ledger holds."""
        ran = run_here(self.project, *TARGET, "--quiet", "--journal", self.journal, *options)
        for document in ran.documents if ran.folder.exists() else ():
            there = self.server.numbers(document["key"])
            assert len(there) <= 1, f"{document['key']} is there twice"
            if document["status"] in {"accepted", "already_accepted"}:
                assert document["number"] in (None, *there), f"{document} has a wrong number"
                assert there, f"{document} is not there"
        return ran

    def hold(self, key: str) -> Ran:
        """Run at once again: no byte goes out for a document in doubt."""
        before = self.server.arrivals(key)
        ran = self.run()
        assert ran.document(key)["status"] == "unknown"
        assert self.server.arrivals(key) == before
        return ran

    def run_to_the_end(self, after_s: int = 700) -> list[Ran]:
        """Let time pass and run until nothing is left to do, at most three times."""
        self.server.ahead_s += after_s
        runs = [self.run()]
        while runs[-1].code and len(runs) < 3:
            runs.append(self.run())
        assert runs[-1].code == 0, runs[-1].documents
        return runs
