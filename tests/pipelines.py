"""Play the services that run jobs: their steps in order, in a shell as they give it, on a fresh copy of a repository.

Scripts and conditions are taken from the services' own files, word by word. What only the services have is played:
artifacts are folders, the answers of `gh` are made of them, a file of GitLab's package registry lies behind a loopback
server, and of installing the program only the command is kept.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from end_to_end import SAMPLES, environment

KIT = SAMPLES / "migration"
SERVICES = ("github", "gitlab", "azure")
_JOB_TOKEN = "a-job-token"
_GH = """\
#!/usr/bin/env bash
# what the jobs ask of gh: which artifacts there are, and one of them
set -eo pipefail
case "$1" in
  api) jq --raw-output "$4" < "$KEPT/listing.json" ;;
  run) [ "$3" = the-run-of-main ] && cp -r "$KEPT/$7/." . ;;
esac
"""


@dataclass
class Done:
    """Hold how a job ended."""

    code: int
    said: str
    #: what the service shows beside the job, or hands out with it
    shown: str = ""


@dataclass
class Service:
    """Hold what a service keeps between the jobs of one repository."""

    name: str
    folder: Path
    #: variables and secrets, as its settings give them
    settings: dict[str, str]
    #: what the file says of the journal: postgresql or file
    journal: str = "postgresql"
    jobs: int = 0
    #: what was asked of pip
    installed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept.mkdir(parents=True)
        self._write_tools()
        self.list()

    @property
    def kept(self) -> Path:
        """Name the folder of the artifacts of a run."""
        return self.folder / "kept"

    @property
    def kept_before(self) -> Path:
        """Name the folder of what the last run that left a journal kept."""
        return self.folder / "kept-before"

    @property
    def file(self) -> dict[str, Any]:
        """Return the service's file of the kit."""
        text = (KIT / "ci" / f"{self.name}.yml").read_text(encoding="utf-8")
        text, edits = re.subn(r"(JOURNAL:|name: JOURNAL\n    value:) postgresql\n", rf"\1 {self.journal}\n", text)
        assert edits == 1, "the file has another place for the kind of journal"
        data: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
        return data

    def run(self, job: str, **more: str) -> Done:
        """Run one job on a runner that has nothing but the repository."""
        self.jobs += 1
        place = self.folder / f"runner-{self.jobs}"
        shutil.copytree(self.folder / "repository", place / "repository")
        runner = Runner(self, place, {**self.settings, **more})
        done: Done = getattr(runner, f"_{self.name}")(job)
        self.installed += (place / "installed").read_text(encoding="utf-8").splitlines()
        return done

    def begin(self) -> None:
        """Begin another run: what the last one kept belongs to that one, except where it is asked for."""
        if list(self.kept.glob("journal*")):
            shutil.rmtree(self.kept_before, ignore_errors=True)
            shutil.copytree(self.kept, self.kept_before)
        for folder in self.kept.iterdir():
            if folder.is_dir() and (folder.name != "journal" or self.name != "github"):
                shutil.rmtree(folder)

    def list(self) -> None:
        """Write the list of artifacts as GitHub's API tells it, with others of the same name that do not count."""
        ours = {"head_branch": "main", "repository_id": 1, "head_repository_id": 1, "id": "a-strange-one"}
        strange = [{"head_repository_id": 2}, {"head_branch": "feature"}]
        rows = [_listed(ours | one, "2030-01-01T00:00:00Z") for one in strange]
        rows.append(_listed(ours, "2029-01-01T00:00:00Z") | {"expired": True})
        if (self.kept / "journal").exists():
            rows.append(_listed(ours, "2025-01-01T00:00:00Z"))
            rows.append(_listed(ours | {"id": "the-run-of-main"}, "2026-01-01T00:00:00Z"))
        (self.kept / "listing.json").write_text(json.dumps({"artifacts": rows}), encoding="utf-8")

    def _write_tools(self) -> None:
        """Write the programs that a runner has."""
        tools = self.folder / "bin"
        tools.mkdir()
        programs = {
            "visma-import": f'#!/bin/sh\nexec "{sys.executable}" -m importer "$@"\n',
            "python": '#!/bin/sh\necho "$@" >> "$INSTALLED"\n',
            "gh": _GH,
        }
        for name, text in programs.items():
            (tools / name).write_text(text, encoding="utf-8")
            (tools / name).chmod(0o755)


def _listed(run: dict[str, Any], created: str) -> dict[str, Any]:
    return {"name": "journal", "expired": False, "created_at": created, "workflow_run": run}


@dataclass
class Runner:
    """Run the steps of one job."""

    service: Service
    place: Path
    settings: dict[str, str]
    code: int = 0
    said: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        """Name the folder of the checkout."""
        return self.place / "repository"

    def _shell(self, script: str, env: dict[str, str], *, strict: bool, cwd: Path | None = None) -> int:
        options = ["-e", "-o", "pipefail"] if strict else []
        known = environment(self.place, KEPT=str(self.service.kept), INSTALLED=str(self.place / "installed"))
        known["PATH"] = os.pathsep.join([str(self.service.folder / "bin"), os.environ["PATH"]])
        (self.place / "script.sh").write_text(script, encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", *options, str(self.place / "script.sh")],
            cwd=cwd or self.repository,
            env={**known, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=180,
            check=False,
        )
        self.said += done.stdout
        return done.returncode

    def _keep(self, name: str, paths: list[str], *, needed: bool) -> None:
        """Keep files as an artifact; a folder as what it holds, as the services do."""
        kept, found = self.service.kept / name, 0
        shutil.rmtree(kept, ignore_errors=True)
        for path in paths:
            source = self.repository / path
            if source.is_dir():
                shutil.copytree(source, kept if len(paths) == 1 else kept / path, dirs_exist_ok=True)
            elif source.is_file():
                kept.mkdir(exist_ok=True)
                shutil.copy(source, kept)
            found += source.exists()
        assert found or not needed, f"nothing to keep as {name}:\n{self.said}"

    # -- GitHub Actions --------------------------------------------------------------------------------------------

    def _github(self, job: str) -> Done:
        whole = self.service.file
        jobs = whole["jobs"][job]
        summary = self.place / "summary.md"
        own = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "consultants/migration"}
        own |= {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(self.repository)}
        outer = {**own, **self._filled({**whole["env"], **jobs["env"]})}
        for step in jobs["steps"]:
            env = {**outer, **self._filled(step.get("env", {}))}
            if not self._wanted(step.get("if", ""), env):
                self.outcomes[step.get("id", "")] = "skipped"
                continue
            code = self._github_action(step) if "uses" in step else self._shell(step["run"], env, strict=True)
            self.outcomes[step.get("id", "")] = "failure" if code else "success"
            self.code = self.code or code
        return Done(self.code, self.said, summary.read_text(encoding="utf-8") if summary.exists() else "")

    def _github_action(self, step: dict[str, Any]) -> int:
        action, given = step["uses"].partition("@")[0], step.get("with", {})
        name = given.get("name", "").replace("${{ github.run_attempt }}", "1")
        if action == "actions/upload-artifact":
            self._keep(name, given["path"].split(), needed=given.get("if-no-files-found") == "error")
            self.service.list()
        elif action == "actions/download-artifact":
            shutil.copytree(self.service.kept / name, self.repository, dirs_exist_ok=True)
        else:
            assert action in {"actions/checkout", "actions/setup-python"}, action
        return 0

    def _filled(self, env: dict[str, str]) -> dict[str, str]:
        def fill(found: re.Match[str]) -> str:
            return {"github.token": "a-token"}.get(found[1]) or self.settings.get(found[1].partition(".")[2], "")

        return {name: re.sub(r"\$\{\{ ([a-zA-Z_.]+) \}\}", fill, text) for name, text in env.items()}

    def _wanted(self, condition: str, env: dict[str, str]) -> bool:
        """Tell whether a step of GitHub's is carried out."""
        parts = [part.strip() for part in condition.split("&&") if part.strip()]
        held = [part for part in parts if part != "always()"]
        for part in held:
            left, sign, right = re.fullmatch(r"(\S+) (==|!=) '(\w*)'", part).groups()  # type: ignore[union-attr]
            scope, _, rest = left.partition(".")
            value = env.get(rest, "") if scope == "env" else self.outcomes[rest.partition(".")[0]]
            if (value == right) != (sign == "=="):
                return False
        return "always()" in parts or not self.code

    # -- GitLab CI/CD ----------------------------------------------------------------------------------------------

    def _gitlab(self, job: str) -> Done:
        whole = self.service.file
        own = {"CI": "true", "GITLAB_CI": "true", "CI_PROJECT_ID": "7", "CI_JOB_TOKEN": _JOB_TOKEN}
        env = {**own, **whole["variables"], **self.settings}
        for name, text in env.items():
            env[name] = re.sub(r"\$([A-Z_0-9]+)", lambda found: env.get(found[1], ""), text)
        declared = whole[job]
        for needed in declared.get("needs", []):
            for path in (self.service.kept / needed).iterdir():
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, self.repository / path.name)
        # before_script and script are one script
        self.code = self._shell("\n".join([*whole["default"]["before_script"], *declared["script"]]), env, strict=True)
        self._keep(job, declared["artifacts"]["paths"], needed=False)
        for file in [declared["artifacts"]["reports"]["junit"]]:
            assert self.code or list(self.repository.glob(file)), f"there is no {file}"
        handed = self.service.kept / job / "plan.md"
        return Done(self.code, self.said, handed.read_text(encoding="utf-8") if handed.exists() else "")

    # -- Azure Pipelines -------------------------------------------------------------------------------------------

    def _azure(self, job: str) -> Done:
        whole = self.service.file
        stage = next(stage for stage in whole["stages"] if stage["stage"] == job)
        declared = stage["jobs"][0]
        steps = declared["steps"] if "steps" in declared else declared["strategy"]["runOnce"]["deploy"]["steps"]
        self.variables = {
            "Build.SourcesDirectory": str(self.repository),
            "Build.ArtifactStagingDirectory": str(self.place / "staging"),
            "Pipeline.Workspace": str(self.place),
            "System.StageAttempt": self.settings.get("attempt", "1"),
            **{one["name"]: one["value"] for one in whole["variables"] if "name" in one},
            **self.settings,
        }
        # in a deployment job the scripts begin beside the checkout
        cwd = self.repository if "steps" in declared else self.place
        for step in steps:
            if not self._azure_wants(step.get("condition", "succeeded()")):
                continue
            where = Path(self._put_in(step["workingDirectory"])) if "workingDirectory" in step else cwd
            code = self._azure_bash(step, where) if "bash" in step else self._azure_task(step)
            self.code = self.code or code
        named = re.findall(r"##vso\[task\.uploadsummary\](.+)", self.said)
        return Done(self.code, self.said, "\n".join(Path(name).read_text(encoding="utf-8") for name in named))

    def _azure_bash(self, step: dict[str, Any], cwd: Path) -> int:
        secrets = {name for name in self.variables if "SECRET" in name or "PASSWORD" in name}
        plain = {name.upper().replace(".", "_"): of for name, of in self.variables.items() if name not in secrets}
        env = {**plain, "TF_BUILD": "True", **{name: self._put_in(of) for name, of in step.get("env", {}).items()}}
        before = len(self.said)
        code = self._shell(step["bash"], env, strict=False, cwd=cwd)
        self.variables |= dict(re.findall(r"##vso\[task\.setvariable variable=(\w+)\](.*)", self.said[before:]))
        return code

    def _azure_task(self, step: dict[str, Any]) -> int:
        given = {name: self._put_in(text) for name, text in step.get("inputs", {}).items()}
        task = step.get("task", "")
        if "publish" in step:
            source = Path(self._put_in(step["publish"]))
            if not source.is_dir():
                return 1
            # an artifact that is there already is refused, as there
            shutil.copytree(source, self.service.kept / self._put_in(step["artifact"]))
        elif task == "DownloadPipelineArtifact@2" and "artifactName" in given:
            shutil.copytree(self.service.kept / given["artifactName"], given["targetPath"], dirs_exist_ok=True)
        elif task == "DownloadPipelineArtifact@2":
            kept = self.service.kept if given["buildType"] == "current" else self.service.kept_before
            found = list(kept.glob(given["itemPattern"]))
            for file in found:
                shutil.copytree(file.parent, Path(given["targetPath"]) / file.parent.name, dirs_exist_ok=True)
            if not found and given["buildType"] == "specific":
                self.said += "The artifact was not found.\n"
                return 1
        elif task == "PublishTestResults@2":
            # relative to the checkout
            assert (
                list(self.repository.glob(given["testResultsFiles"].removeprefix(f"{self.repository}/"))) or self.code
            )
        else:
            assert task == "UsePythonVersion@0" or "checkout" in step or "download" in step, step
        return 0

    def _put_in(self, text: str) -> str:
        """Put variables in; what is not declared stays as it is, as there."""
        return re.sub(r"\$\(([\w.]+)\)", lambda found: self.variables.get(found[1], found[0]), text)

    def _azure_wants(self, condition: str) -> bool:
        """Tell whether a step of Azure's is carried out."""
        if "succeeded()" in condition and self.code:
            return False
        tests = re.findall(r"(eq|ne|gt)\(variables\['([\w.]+)'\], '?(\w+)'?\)", condition)
        compare = {"eq": str.__eq__, "ne": str.__ne__, "gt": lambda left, right: int(left) > int(right)}
        return all(compare[name](self.variables.get(variable, ""), value) for name, variable, value in tests)


@contextmanager
def package_registry() -> Iterator[str]:
    """Serve the one file of a project's package registry; yield the address of GitLab's API."""
    held: dict[str, bytes] = {}
    wanted = "Basic " + base64.b64encode(f"gitlab-ci-token:{_JOB_TOKEN}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path in held else 404, held.get(self.path, b"{}"))

        def do_PUT(self) -> None:
            held[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(201, b'{"message": "201 Created"}')

        def _answer(self, status: int, body: bytes) -> None:
            status = status if self.headers["Authorization"] == wanted else 401
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v4"
        finally:
            server.shutdown()
            thread.join(10)
