"""The built wheel holds what it needs and nothing else, and works where nothing else is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from end_to_end import ROOT, copy_sample

TOP_LEVEL = ("importer", "schemas", "templates", "samples", "tests", "README.md", "pyproject.toml")
pytest.importorskip("build")
pytest.importorskip("hatchling")


def output(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0) -> str:
    """Run a command to its end; return what it said."""
    done = subprocess.run(
        list(map(str, arguments)),
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment that knows neither this checkout nor its user."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONWARNINGS": "error"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel from a copy of the repository's files; return their folder."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    source.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".visma-import", "reports", "node_modules")
    for name in TOP_LEVEL:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source / name)
    output(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source, cwd=folder)
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment, with the libraries of the running one; return its folder of scripts."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, system_site_packages=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    libraries = "\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (Path(paths["purelib"]) / "libraries.pth").write_text(libraries + "\n", encoding="utf-8")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = built.glob("*.whl")
    install = ("install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", "--disable-pip-version-check")
    output(scripts / "python", "-m", "pip", *install, wheel, cwd=folder)
    return scripts


def test_the_wheel_holds_schemas_and_templates_and_no_tests(built: Path) -> None:
    """Every schema, template and table of the program is in it; tests, samples and caches are not."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        f"importer/_data/{path.relative_to(ROOT).as_posix()}"
        for folder in ("schemas", "templates")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "importer").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert any(name.endswith(".schema.json") for name in expected)
    assert any(name.endswith(".j2") for name in expected)
    assert names == expected | modules


def test_the_sdist_holds_the_repository(built: Path) -> None:
    """Whoever has it can build and test."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}

    assert set(TOP_LEVEL) <= top


@pytest.mark.parametrize("name", ["invoices", "customers", "credit-notes", "debit-notes", "with-mistakes"])
def test_the_installed_wheel_checks_and_runs_a_sample_from_another_folder(
    installed: Path, tmp_path: Path, name: str
) -> None:
    """With an empty HOME and nothing of the checkout in reach."""
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    env = clean_environment(tmp_path / "home")
    mapping = copy_sample(name, tmp_path) / "mapping.yaml"
    code = 3 if name == "with-mistakes" else 0
    output(installed / "visma-import", "check", mapping, cwd=tmp_path / "elsewhere", env=env, code=code)
    said = output(installed / "visma-import", "run", mapping, cwd=tmp_path / "elsewhere", env=env, code=code)

    assert ("exit code 0" in said) is (code == 0)
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_installed_wheel_is_what_was_run(installed: Path, tmp_path: Path) -> None:
    """The module comes from the new environment, not from this checkout."""
    code = "import importer, pathlib; print(pathlib.Path(importer.__file__).resolve())"
    where = output(installed / "python", "-c", code, cwd=tmp_path, env=clean_environment(tmp_path))

    assert Path(where.strip()).is_relative_to(installed.parent.resolve())


def test_a_plain_checkout_works_without_installing(tmp_path: Path) -> None:
    """`python -m importer` in the repository's folder is the same program."""
    env = clean_environment(tmp_path)
    said = output(sys.executable, "-m", "importer", "--version", cwd=ROOT, env=env)
    sample = copy_sample("invoices", tmp_path)
    output(sys.executable, "-m", "importer", "check", sample / "mapping.yaml", cwd=ROOT, env=env)

    assert said.startswith("visma-import")
