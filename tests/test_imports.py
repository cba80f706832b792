"""The layout: `api → qa → index`, never back; each heavy part is known to one file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def imports(path: Path) -> set[str]:
    """Return every module that a file imports anywhere, also inside functions, and the names taken from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(package: str) -> list[Path]:
    found = sorted((REPOSITORY / package).rglob("*.py"))
    assert found
    return found


def importers(part: str) -> set[str]:
    """Return the files of the three packages that import `part`."""
    return {
        path.relative_to(REPOSITORY).as_posix()
        for package in ("index", "qa", "api")
        for path in modules(package)
        if any(name.split(".")[0] == part for name in imports(path))
    }


@pytest.mark.parametrize(
    ("package", "forbidden"), [("index", {"qa", "api"}), ("qa", {"api"}), ("index", {"tests"}), ("qa", {"tests"})]
)
def test_no_package_imports_what_is_above_it(package: str, forbidden: set[str]) -> None:
    for path in modules(package):
        assert not {name.split(".")[0] for name in imports(path)} & forbidden, path


@pytest.mark.parametrize(
    ("part", "files"),
    [
        ("faiss", {"index/vectors.py"}),
        ("tantivy", {"index/terms.py"}),
        ("torch", set()),
        ("sentence_transformers", {"index/embed.py"}),
        ("onnxruntime", {"qa/read.py"}),
        ("sentencex", {"index/sentences.py"}),
        ("trafilatura", {"index/load/html.py"}),
        ("httpx2", {"api/calls.py", "api/client.py", "api/client_library.py", "api/webhook_sender.py"}),
        ("mcp", {f"api/mcp/{name}.py" for name in ("endpoint", "places", "resources", "server", "stdio", "tools")}),
    ],
)
def test_each_part_is_known_to_one_file(part: str, files: set[str]) -> None:
    assert importers(part) == files


def test_only_the_library_speaks_sql() -> None:
    library = {"schema", "library", "writer", "groups", "change", "backup", "check"}
    # Jobs and conversations are files of their own.
    assert importers("sqlite3") <= {
        "api/conversations.py",
        "api/doctor.py",
        "api/ledger.py",
        *(f"index/{name}.py" for name in library),
    }


def test_only_the_api_reads_the_environment() -> None:
    # index/embed.py sets two variables for the libraries it loads; it reads none.
    for package in ("index", "qa"):
        for path in modules(package):
            source = path.read_text(encoding="utf-8")
            assert "getenv" not in source, path
            assert ".environ.get" not in source, path


def test_the_command_line_starts_without_the_heavy_parts() -> None:
    heavy = ["torch", "faiss", "onnxruntime", "transformers", "sentence_transformers", "tantivy", "trafilatura"]
    code = f"import sys, api.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
