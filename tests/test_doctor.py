"""The doctor: what is sound, what is not, and the way out."""

import sqlite3
from pathlib import Path

import pytest

from api import doctor
from api.settings import Settings
from index.errors import ModelError


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the embedder takes seconds and is looked at once, below."""
    monkeypatch.setattr(doctor, "_embedder", lambda settings: "as it should be")


def findings(library: Path, embedder: str = "all-MiniLM-L6-v2") -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(Settings(library=library, embedder=embedder))}


def install(place: Path, name: str, *files: str) -> None:
    """Make a distribution as pip leaves it."""
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_a_sound_installation_is_sound(seeds_library: Path) -> None:
    found = findings(seeds_library)
    assert [what for what, finding in found.items() if not finding.ok] == []
    assert list(found) == ["python", "packages", "reader", "embedder", "library"]
    assert "generation 1, 2 documents" in found["library"].detail
    assert "384 dimensions" in found["embedder"].detail


@pytest.mark.usefixtures("quick")
def test_no_library_yet_is_not_wrong_and_says_how_to_make_one(tmp_path: Path) -> None:
    found = findings(tmp_path / "none")["library"]
    assert found.ok
    assert "sync" in found.detail


@pytest.mark.usefixtures("quick")
def test_another_distribution_with_one_of_our_names_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds_library: Path
) -> None:
    install(tmp_path, "acme-api", "api/__init__.py", "api/client.py")
    install(tmp_path, "single-file", "qa.py")
    install(tmp_path, "harmless", "harmless/api/__init__.py", "apis/__init__.py", "docs/index.html")
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor.foreign_owners() == {"api": {"acme-api"}, "qa": {"single-file"}}
    found = findings(seeds_library)["packages"]
    assert not found.ok
    assert "acme-api, single-file" in found.detail
    assert "a virtual environment of its own" in found.detail


def test_nobody_else_ships_our_names_here() -> None:
    assert doctor.foreign_owners() == {}


@pytest.mark.usefixtures("quick")
def test_a_damaged_library_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"not a database" * 100)
    found = findings(tmp_path)["library"]
    assert not found.ok
    assert "library.sqlite" in found.detail


@pytest.mark.usefixtures("quick")
def test_a_text_that_was_tampered_with_is_found(tmp_path: Path, seeds_library: Path) -> None:
    with (
        sqlite3.connect(seeds_library / "library.sqlite") as source,
        sqlite3.connect(tmp_path / "library.sqlite") as copy,
    ):
        source.backup(copy)
        copy.execute("UPDATE revisions SET text = CAST(replace(CAST(text AS TEXT), 'January', 'October') AS BLOB)")
    source.close()
    copy.close()
    found = findings(tmp_path)["library"]
    assert not found.ok
    assert "hash" in found.detail


def test_a_missing_embedder_is_wrong_and_named(tmp_path: Path) -> None:
    empty = tmp_path / "model"
    empty.mkdir()
    found = findings(tmp_path / "none", embedder=str(empty))["embedder"]
    assert not found.ok
    assert str(empty) in found.detail


@pytest.mark.usefixtures("quick")
def test_a_damaged_reader_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(settings: Settings) -> str:
        raise ModelError("reader.onnx has another hash; reinstall citespan")

    monkeypatch.setattr(doctor, "_reader", damaged)
    found = findings(tmp_path / "none")["reader"]
    assert (found.ok, "reinstall" in found.detail) == (False, True)
