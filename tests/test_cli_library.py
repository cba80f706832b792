"""The commands that keep a library: what they print, do, and exit with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import cli
from index.embed import Embedder
from tests.fakes import HashingEmbedder, write_files

Run = Callable[..., Result]

BOATS = "The ferry Alma was built in Turku in 1931. She carried forty passengers across the sound."
KEEPER = "The keeper of the lighthouse is Marta Lind. She lights the lamp at dusk."


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a caller of commands on a library in `tmp_path`, embedded without a model."""

    def embedder(*_: object) -> Embedder:
        return HashingEmbedder(name="hashing:x")

    monkeypatch.setattr("api.wiring.open_embedder", embedder)

    def call(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(cli.app, ["--library", str(tmp_path / "library"), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return write_files(tmp_path / "sources", {"boats.txt": BOATS, "keeper.txt": KEEPER})


def listed(run: Run) -> dict[str, str]:
    """Return the live documents: uri → id."""
    return {document["uri"]: document["id"] for document in json.loads(run("documents", "--json").stdout)}


def output(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_dry_run_tells_and_does_nothing(run: Run, sources: Path, tmp_path: Path) -> None:
    lines = run("sync", "--dry-run", sources).stdout.splitlines()
    assert lines[:2] == ["  added    boats.txt", "  added    keeper.txt"]
    assert lines[-1].startswith("nothing was done; a sync would make: 2 added, 0 changed, 0 removed")
    assert not (tmp_path / "library").exists()


def test_what_was_deleted_by_hand_stays_out_until_it_is_wanted(run: Run, sources: Path) -> None:
    run("sync", sources)
    identity = listed(run)["boats.txt"]
    assert run("delete", identity).stdout == "1 deleted; generation 2\n"
    assert listed(run).keys() == {"keeper.txt"}
    again = run("sync", sources).stdout
    assert "kept out" in again
    assert listed(run).keys() == {"keeper.txt"}
    run("sync", "--include-deleted", sources)
    assert listed(run) == {"boats.txt": identity, "keeper.txt": listed(run)["keeper.txt"]}
    assert output(run("delete", "doc_none", "--json", code=1))["error"]["code"] == "unknown-document"


def test_purged_words_are_in_no_file(run: Run, sources: Path) -> None:
    run("sync", sources)
    assert "found in library.sqlite" in run("absent", BOATS, code=1).stdout
    report = output(run("delete", listed(run)["boats.txt"], "--purge", "--json"))
    assert (report["purged"], report["generation"]) == (True, 2)
    assert run("absent", BOATS).stdout.endswith("none found\n")
    assert output(run("absent", "--file", sources / "boats.txt", "--json"))["places"] == []
    run("absent", code=2)
    run("absent", BOATS, "--file", sources / "boats.txt", code=2)


def test_generations_are_listed_compared_and_gone_back_to(run: Run, sources: Path) -> None:
    run("sync", sources)
    (sources / "keeper.txt").write_text("The keeper is now Jon Berg. He rows at dawn.")
    (sources / "boats.txt").unlink()
    run("sync", sources)
    first, second = output(run("generations", "--json"))[::-1]
    assert (first["number"], first["documents"], second["number"], second["documents"]) == (1, 2, 2, 1)
    assert "changed 1, removed 1" in run("generations").stdout.splitlines()[0]
    assert run("diff", 1, 2).stdout.splitlines()[-1] == "0 added, 1 changed, 1 removed"
    assert [d["uri"] for d in output(run("diff", 1, 2, "--json"))["removed"]] == ["boats.txt"]
    assert run("rollback", 1).stdout == "generation 3 has the documents of generation 1\n"
    assert listed(run).keys() == {"boats.txt", "keeper.txt"}
    assert output(run("rollback", 9, "--json", code=1))["error"]["code"] == "unknown-generation"
    assert output(run("diff", 1, 9, "--json", code=1))["error"]["code"] == "unknown-generation"


def test_a_sync_that_would_empty_the_library_stops(run: Run, sources: Path) -> None:
    run("sync", sources)
    for file in sources.iterdir():
        file.unlink()
    assert output(run("sync", sources, "--json", code=1))["error"]["code"] == "safety-stop"
    run("sync", "--keep-missing", sources)
    assert len(listed(run)) == 2
    run("sync", "--yes", sources)
    assert listed(run) == {}


def test_a_generation_that_fails_its_questions_is_kept_aside(run: Run, sources: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    gold = {"document": "boats.txt", "quote": "The ferry Alma was built in Turku in 1931."}
    asked = {"id": "1", "question": "Where was the ferry Alma built?", "answerable": True, "answers": [gold]}
    questions.write_text(json.dumps(asked))
    run("sync", sources)
    (sources / "boats.txt").write_text("Nothing is known of any boat in these parts. The sound is wide.")
    report = output(run("sync", sources, "--check", questions, "--min-right", 1, "--json", code=1))
    assert (report["generation"], report["aside"]) == (None, 2)
    assert report["check"].startswith("0 of 1 questions came out right (0.0%), needed are 100.0%")
    shown = run("generations").stdout.splitlines()
    assert [("kept aside" in line) for line in shown] == [False, True, False]
    assert "kept aside and does not answer" in run("sync", sources, "--check", questions, code=1).stdout
    assert output(run("sync", sources, "--check", questions, "--min-right", 0, "--json"))["aside"] is None


def test_retention_backup_and_restore(run: Run, sources: Path, tmp_path: Path) -> None:
    run("sync", sources)
    run("sync", write_files(sources, {"new.txt": "A new pier was opened in May. It is long."}))
    assert run("compact", "--keep-last", 1).stdout.startswith("0 generations and 0 passages dropped")  # too young to go
    file = tmp_path / "library.backup"
    assert output(run("backup", file, "--json")) == {"file": str(file), "generation": 2}
    assert output(run("backup", file, "--json", code=1))["error"]["code"] == "library-error"
    elsewhere = tmp_path / "elsewhere"
    result = CliRunner().invoke(cli.app, ["--library", str(elsewhere), "restore", str(file)])
    assert (result.exit_code, f"{elsewhere} is at generation 2" in result.stdout) == (0, True)
    other = CliRunner().invoke(cli.app, ["--library", str(elsewhere), "documents", "--json"])
    assert {d["uri"]: d["id"] for d in json.loads(other.stdout)} == listed(run)


def test_the_library_is_switched_to_another_embedder(run: Run, sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("sync", sources)
    monkeypatch.setattr("api.wiring.load_embedder", lambda name: HashingEmbedder(32, f"{name}:x"))
    assert run("reembed", "--embedder", "other").stdout == "generation 2: 2 passages by other, 2 embedded\n"
    assert run("reembed", "--embedder", "other").stdout == "the library uses that embedder already\n"
    # The one that made it is no longer its own, and says so.
    assert output(run("sync", sources, "--json", code=1))["error"]["code"] == "library-format"


def test_copies_are_shown(run: Run, sources: Path) -> None:
    story = " ".join(f"Sentence number {n} tells of the long voyage of the Alma to island {n * 7}." for n in range(20))
    write_files(sources, {"a.txt": f"Voyage of the Alma\n\n{story}", "b.txt": f"The Alma sails\n\n{story}"})
    run("sync", sources)
    lines = [line for line in run("documents").stdout.splitlines() if "2 copies" in line]
    assert [line.split()[2] for line in lines] == ["a.txt", "b.txt"] or [line.split()[2] for line in lines] == [
        "b.txt", "a.txt"
    ]  # fmt: skip
    assert output(run("show", listed(run)["a.txt"], "--json"))["copies"] == ["b.txt"]


def test_a_library_is_kept_in_postgresql_and_embedded_in_parts(
    run: Run, sources: Path, tmp_path: Path, postgres: str
) -> None:
    said = run("init", "--truth", postgres, "--schema", "cli").stdout
    assert said == f"the truth of {tmp_path / 'library'} is {postgres}, schema cli; the first sync makes the library\n"
    parts = [output(run("embed", sources, "--part", f"{number}/2", "--json")) for number in (1, 2)]
    assert (sum(part["files"] for part in parts), sum(part["embedded"] for part in parts)) == (2, 2)
    assert run("embed", sources).stdout.startswith("part 1 of 1: 2 files, 0 known before, 2 passages, 0 embedded in ")
    report = output(run("sync", sources, "--json"))
    assert (report["generation"], report["embedded"], len(listed(run))) == (1, 0, 2)
    assert output(run("init", "--truth", postgres, "--schema", "cli", "--json"))["generation"] == 1
    assert "found in PostgreSQL, revisions.text" in run("absent", BOATS, code=1).stdout
    run("delete", listed(run)["boats.txt"], "--purge")
    assert run("absent", BOATS).stdout.endswith("none found\n")
    assert output(run("backup", tmp_path / "saved", "--json", code=1))["error"]["code"] == "library-error"
    assert "pg_dump" in run("backup", tmp_path / "saved", code=1).stderr


def test_what_init_and_embed_cannot_take_is_said(run: Run, sources: Path, tmp_path: Path) -> None:
    refused = run("init", "--truth", "postgresql://me:zanzibar@localhost/papers", code=1).output
    assert "PGPASSWORD" in refused
    assert "zanzibar" not in refused
    assert "the first of four is 1/4" in run("embed", sources, "--part", "5/4", code=2).output.replace("\n", " ")
    assert not (tmp_path / "library" / "truth.json").exists()
