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
        ("faiss", {f"index/{name}.py" for name in ("exact", "lists", "quantised", "quantiser")}),
        ("tantivy", {"index/terms.py"}),
        ("torch", set()),
        ("sentence_transformers", {"index/embed.py"}),
        ("onnxruntime", {"index/embed_onnx.py", "qa/read.py"}),
        ("sentencex", {"index/sentences.py"}),
        ("trafilatura", {"index/load/html.py"}),
        ("prometheus_client", {"api/metrics.py"}),
        ("httpx2", {"api/calls.py", "api/client.py", "api/client_library.py", "api/webhook_sender.py"}),
        ("throttled", {"api/limits.py"}),
        ("psycopg", {"index/postgres.py"}),
        ("qdrant_client", {"index/remote/engine.py"}),
        ("tenacity", {"index/remote/patience.py"}),
        ("mcp", {f"api/mcp/{name}.py" for name in ("endpoint", "places", "resources", "server", "stdio", "tools")}),
    ],
)
def test_each_part_is_known_to_one_file(part: str, files: set[str]) -> None:
    assert importers(part) == files


def test_the_driver_of_each_database_is_known_to_few() -> None:
    # Jobs, conversations and keys are files of their own, and so is a backup.
    assert importers("sqlite3") == {
        "api/conversations.py",
        "api/keys.py",
        "api/ledger.py",
        "index/backup.py",
        "index/sqlite.py",
    }


def test_only_the_api_reads_the_environment() -> None:
    # index/embed.py and index/embed_onnx.py set two variables for the libraries they load; they read none.
    for package in ("index", "qa"):
        for path in modules(package):
            source = path.read_text(encoding="utf-8")
            assert "getenv" not in source, path
            assert ".environ.get" not in source, path


# What takes long to import, or brings much with it, and serves something else than a question.
NOT_TO_ASK = frozenset(
    "torch transformers sentence_transformers sklearn scipy fastapi starlette uvicorn sse_starlette mcp httpx2 "
    "psycopg trafilatura lxml pypdfium2 openpyxl markdown_it charset_normalizer watchfiles multipart rich "
    "qdrant_client grpc tenacity".split()
)
NOT_TO_HELP = NOT_TO_ASK | frozenset(
    "numpy onnxruntime tokenizers faiss tantivy sentencex pydantic pydantic_settings yaml prometheus_client "
    "sqlite3 asyncio qa".split()
)


def imported(*arguments: str) -> set[str]:
    """Return the first names of all modules that a command has imported when it ends."""
    code = (
        "import atexit, sys\nfrom api.cli import main\n"
        "atexit.register(lambda: print('', *{name.split('.')[0] for name in sys.modules}))\nmain()"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_is_shown_without_the_heavy_parts() -> None:
    names = imported("--help")
    assert "typer" in names
    assert names & NOT_TO_HELP == set()


def test_a_question_is_answered_without_what_it_does_not_need(seeds_library: Path) -> None:
    names = imported("--library", str(seeds_library), "ask", "Who told firms in Japan about rare earth contracts?")
    assert "onnxruntime" in names
    assert names & NOT_TO_ASK == set()
