"""The wheel: what is in it, what is not, and what it installs."""

import configparser
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# What the package index takes of a project that did not ask for more.
LARGEST_WHEEL = 100_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as it is published; what builds it is installed already, so no network is needed."""
    place = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(REPOSITORY)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = place.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def text_of(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"citespan-{version()}.dist-info/{name}").decode()


def version() -> str:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def test_it_holds_three_packages_and_nothing_else(names: set[str]) -> None:
    """Whatever else stood at the top would be installed among other people's modules."""
    beside = {f"citespan-{version()}.{kind}" for kind in ("dist-info", "data")}
    assert {PurePosixPath(name).parts[0] for name in names} == {"qa", "index", "api", *beside}


def test_it_brings_the_manual_page_and_nothing_else_beside_the_packages(names: set[str]) -> None:
    page = f"citespan-{version()}.data/data/share/man/man1/citespan.1"
    assert [name for name in names if ".data/" in name] == [page]


def test_it_holds_every_file_that_the_packages_need_at_run_time(names: set[str]) -> None:
    needed = {
        path.relative_to(REPOSITORY).as_posix()
        for package in ("qa", "index", "api")
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {
        "qa/model/reader.onnx", "qa/model/tokenizer.json", "qa/model/calibration.json", "qa/model/second/reader.onnx",
        "qa/model/second/tokenizer.json", "api/static/index.html", "api/static/app.js", "api/static/style.css",
    } <= needed  # fmt: skip
    assert needed <= names


def test_it_holds_no_leftovers(names: set[str]) -> None:
    leftovers = {name for name in names if "__pycache__" in name or name.endswith((".pyc", ".log", ".sqlite", "~"))}
    assert leftovers == set()
    assert not {name for name in names if "test" in PurePosixPath(name).parts[0]}


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_it_installs_one_command(wheel: Path) -> None:
    entry = configparser.ConfigParser()
    entry.read_string(text_of(wheel, "entry_points.txt"))
    assert dict(entry["console_scripts"]) == {"citespan": "api.cli:main"}


def test_it_says_what_it_is_and_under_which_license(wheel: Path) -> None:
    metadata = HeaderParser().parsestr(text_of(wheel, "METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("citespan", version())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Apache License" in text_of(wheel, "licenses/LICENSE")


def test_the_test_tools_are_no_part_of_an_installation(wheel: Path) -> None:
    metadata = HeaderParser().parsestr(text_of(wheel, "METADATA"))
    required = [value for value in metadata.get_all("Requires-Dist", []) if "extra ==" not in value]
    names = {match[0].lower() for value in required if (match := re.match(r"[A-Za-z0-9_.-]+", value))}
    assert {"torch", "faiss-cpu", "tantivy", "onnxruntime", "fastapi", "typer"} <= names
    assert not {"pytest", "hypothesis", "playwright", "schemathesis", "standardwebhooks", "build"} & names
