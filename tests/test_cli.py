"""The command line: what it prints, and the exit codes that scripts rely on."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api import cli
from index.embed import Embedder
from index.load import supported
from tests.serving import CITESPAN

ANSWERED = "Which news agency reported on January 10 that Japanese companies would get no new contracts?"
FIRST = "Will Chinese state companies still sign new rare earth contracts with Japanese firms?"
UNANSWERED = "At what temperature does tungsten melt?"
SEEDS = Path(__file__).resolve().parent.parent / "seeds"
ESCAPE = "\x1b[31m"

Citespan = Callable[..., Result]


@pytest.fixture
def citespan(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> Citespan:
    """Return what runs a command in this process, with the embedder that is loaded already."""
    monkeypatch.setattr("api.wiring.open_embedder", lambda settings: embedder)

    def run(*arguments: object, stdin: str | None = None, library: Path | None = None) -> Result:
        before = [] if library is None else ["--library", str(library)]
        return CliRunner().invoke(cli.app, [*before, *map(str, arguments)], input=stdin)

    return run


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "keeper.md").write_text("# The lighthouse\n\nThe keeper of the lighthouse on Skerry Rock is Edda Holm.\n")
    (folder / "boats.md").write_text("# Boats\n\nThe ferry to Skerry Rock leaves at noon.\n")
    return folder


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


def only_summary(result: Result) -> str:
    """Return the last line without the seconds."""
    return result.stdout.splitlines()[-1].rpartition(" (")[0]


# ---- sync ----------------------------------------------------------------------------------------------------------


def test_sync_says_what_it_did_and_a_second_run_changes_nothing(
    citespan: Citespan, sources: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    first = citespan("sync", sources, library=library)
    assert first.exit_code == 0
    assert {line.strip() for line in first.stdout.splitlines()[:-1]} == {"added    boats.md", "added    keeper.md"}
    assert only_summary(first) == (
        "generation 1: 2 added, 0 changed, 0 removed, 0 unchanged, 0 failed; 2 passages embedded"
    )
    second = citespan("sync", sources, library=library)
    assert second.exit_code == 0
    assert only_summary(second) == "nothing changed: 0 added, 0 changed, 0 removed, 2 unchanged, 0 failed"
    told = as_json(citespan("sync", sources, "--json", library=library))
    assert (told["generation"], told["added"], told["skipped"], told["failed"]) == (None, [], 2, [])

    (sources / "boats.md").unlink()
    (sources / "keeper.md").write_text("# The lighthouse\n\nThe keeper is Nils Berg now.\n")
    third = citespan("sync", sources, library=library)
    assert "  changed  keeper.md" in third.stdout.splitlines()
    assert "  removed  boats.md" in third.stdout.splitlines()
    assert only_summary(third) == (
        "generation 2: 0 added, 1 changed, 1 removed, 0 unchanged, 0 failed; 1 passages embedded"
    )


def test_a_file_that_cannot_be_read_is_listed_and_stops_nothing(
    citespan: Citespan, sources: Path, tmp_path: Path
) -> None:
    (sources / "empty.md").write_text("")
    (sources / "binary.txt").write_bytes(b"\x00\xff\xfe\x81" * 100)
    assert not supported("picture.bmp")
    (sources / "picture.bmp").write_bytes(b"BM")
    result = citespan("sync", sources, library=tmp_path / "library")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert sorted(line.split(":")[0] for line in lines if line.startswith("  failed")) == [
        "  failed   binary.txt", "  failed   empty.md",
    ]  # fmt: skip
    assert "  ignored, no document picture.bmp" in lines
    assert "2 added, 0 changed, 0 removed, 0 unchanged, 2 failed" in lines[-1]


def test_a_path_that_does_not_exist_stops_a_sync_before_it_begins(
    citespan: Citespan, sources: Path, tmp_path: Path
) -> None:
    result = citespan("sync", sources, tmp_path / "nowhere", library=tmp_path / "library")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"citespan: {tmp_path / 'nowhere'}: no such file or folder")
    assert not (tmp_path / "library").exists()


def test_what_a_terminal_would_obey_is_not_printed(citespan: Citespan, sources: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    (sources / f"red{ESCAPE}\x9b\x07.md").write_text(f"---\ntitle: Nice {ESCAPE} title\n---\n\nThe buoy is red.\n")
    (sources / f"bad{ESCAPE}.md").write_text("")
    printed = [
        citespan("sync", sources, library=library),
        citespan("documents", library=library),
        citespan("ask", "Which colour is the buoy?", library=library),
        citespan("documents", "--json", library=library),
        citespan("ask", "Which colour is the buoy?", "--json", library=library),
    ]
    identity = next(d["id"] for d in as_json(printed[3]) if d["uri"].startswith("red"))
    printed += [citespan("show", identity, library=library), citespan("show", identity, "--json", library=library)]
    for result in printed:
        assert "red" in result.stdout
        assert not {"\x1b", "\x9b", "\x07"} & set(result.output)
    assert as_json(printed[-1])["uri"] == f"red{ESCAPE}\x9b\x07.md"


def test_a_name_that_is_not_text_is_told_like_any_other(citespan: Citespan, sources: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(sources) + b"/caf\xe9.md")).write_text("The buoy is red.\n")
    library = tmp_path / "library"
    for arguments in (("sync", sources), ("sync", sources, "--json"), ("documents",), ("documents", "--json")):
        result = citespan(*arguments, library=library)
        assert result.exit_code == 0, result.output
        result.stdout.encode()


def test_an_unknown_encoding_is_a_usage_error_before_anything_is_read(citespan: Citespan, sources: Path) -> None:
    result = citespan("sync", sources, "--encoding", "latin-1000")
    assert result.exit_code == 2
    assert "latin-1000" in result.output


def test_encoding_is_tried_for_text_that_is_not_utf8(citespan: Citespan, sources: Path, tmp_path: Path) -> None:
    (sources / "latin.txt").write_bytes("Das Café öffnet früh am Morgen.\n".encode("latin-1"))
    assert "failed   latin.txt" in citespan("sync", sources, library=tmp_path / "library").stdout
    again = citespan("sync", sources, "--encoding", "latin-1", library=tmp_path / "library")
    assert "added    latin.txt" in again.stdout


# ---- ask -----------------------------------------------------------------------------------------------------------


def test_ask_quotes_the_sources(citespan: Citespan, seeds_library: Path) -> None:
    result = citespan("ask", ANSWERED, "--max-citations", 1, library=seeds_library)
    assert result.exit_code == 0
    assert result.stdout.startswith("Kyodo")
    assert "“" in result.stdout
    assert "[2]" not in result.stdout
    assert "kyodo-rare-earths.md, characters " in result.stdout


def test_ask_says_so_with_code_three_when_the_sources_do_not(citespan: Citespan, seeds_library: Path) -> None:
    result = citespan("ask", UNANSWERED, library=seeds_library)
    assert result.exit_code == 3
    assert result.stdout.startswith("The sources do not say")
    assert "not an answer" in result.stdout
    told = citespan("ask", UNANSWERED, "--json", library=seeds_library)
    assert (told.exit_code, as_json(told)["answerable"]) == (3, False)


def test_a_chat_goes_on_from_question_to_question(citespan: Citespan, seeds_library: Path) -> None:
    lines = f"{FIRST}\n\n{'x' * 2_001}\nAnd the existing ones?"
    result = citespan("chat", "--json", "--risk", 1, library=seeds_library, stdin=lines)
    assert result.exit_code == 0
    first, refused, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["question"], first["standalone_question"]) == (FIRST, FIRST)
    assert refused["error"]["code"] == "invalid-question"
    assert second["question"] == "And the existing ones?"
    assert "contracts" in second["standalone_question"]


def test_a_chat_shows_what_ask_shows(citespan: Citespan, seeds_library: Path) -> None:
    asked = [citespan("ask", question, library=seeds_library).stdout for question in (ANSWERED, UNANSWERED)]
    chat = citespan("chat", library=seeds_library, stdin=f"{ANSWERED}\n{UNANSWERED}\n")
    assert chat.stdout == "".join(f"{text}\n" for text in asked)
    assert chat.exit_code == 0


@pytest.mark.parametrize("question", ["", "  ", "x" * 2001])
def test_a_question_that_cannot_be_asked_is_a_failure(citespan: Citespan, seeds_library: Path, question: str) -> None:
    result = citespan("ask", question, library=seeds_library)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("citespan: the question")
    told = citespan("ask", question, "--json", library=seeds_library)
    assert (told.exit_code, as_json(told)["error"]["code"]) == (1, "invalid-question")


# ---- documents, show, verify ---------------------------------------------------------------------------------------


def test_documents_and_show(citespan: Citespan, seeds_library: Path) -> None:
    listed = citespan("documents", library=seeds_library)
    assert listed.exit_code == 0
    assert listed.stdout.splitlines()[-1] == "2 documents in generation 1"
    documents = as_json(citespan("documents", "--json", library=seeds_library))
    assert {document["uri"] for document in documents} == {"kyodo-rare-earths.md", "upi-rare-earths.md"}
    for document in documents:
        assert document["id"] in listed.stdout
        shown = citespan("show", document["id"], library=seeds_library)
        assert f"title: {document['title']}" in shown.stdout.splitlines()
        told = as_json(citespan("show", document["id"], "--json", library=seeds_library))
        assert shown.stdout.endswith(f"\n\n{told['text']}\n")
        assert "sha256:" + hashlib.sha256(told["text"].encode()).hexdigest() == document["revision"]
        assert told == {**document, "copies": [], "text": told["text"]}


def test_an_unknown_document_cannot_be_shown(citespan: Citespan, seeds_library: Path) -> None:
    result = citespan("show", "doc_unknown", library=seeds_library)
    assert result.exit_code == 1
    assert "doc_unknown" in result.stderr
    assert "citespan documents" in result.stderr


def test_the_whole_library_is_verified(citespan: Citespan, seeds_library: Path) -> None:
    result = citespan("verify", library=seeds_library)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "everything holds")
    told = as_json(citespan("verify", "--json", library=seeds_library))
    assert (told["generation"], told["documents"], told["problems"]) == (1, 2, [])


def test_a_citation_is_verified_from_a_file_and_from_standard_input(
    citespan: Citespan, seeds_library: Path, tmp_path: Path
) -> None:
    (citation, *_) = as_json(citespan("ask", ANSWERED, "--json", library=seeds_library))["citations"]
    file = tmp_path / "citation.json"
    file.write_text(json.dumps(citation))
    result = citespan("verify", file, library=seeds_library)
    assert (result.exit_code, result.stdout) == (0, "verified: the quote stands there word for word\n")
    told = citespan("verify", "-", "--json", stdin=file.read_text(), library=seeds_library)
    assert as_json(told) == {"status": "verified", "detail": "the quote stands there word for word", "current": True}

    for field, value, status in (("quote", citation["quote"].upper(), "drifted"), ("document_id", "x", "unknown")):
        tampered = json.dumps({**citation, field: value})
        result = citespan("verify", "-", stdin=tampered, library=seeds_library)
        assert (result.exit_code, result.stdout.split(":")[0]) == (1, status)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"quote": "x"}', b"\xff", b'{"quote": "\\ud800"}'])
def test_what_is_no_citation_is_a_failure(
    citespan: Citespan, seeds_library: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "citation.json"
    file.write_bytes(content)
    result = citespan("verify", file, library=seeds_library)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"citespan: {file}: ")
    assert as_json(citespan("verify", file, "--json", library=seeds_library))["error"]["code"].endswith("-citation")


# ---- eval ----------------------------------------------------------------------------------------------------------


def test_eval_asks_labelled_questions(citespan: Citespan, seeds_library: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    lines = (SEEDS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions.write_text("\n".join([*lines[:4], lines[-1]]), encoding="utf-8")
    result = citespan("eval", questions, "--each", library=seeds_library)
    assert result.exit_code == 0, result.output
    for line in lines[:4]:
        assert json.loads(line)["question"] in result.stdout
    told = as_json(citespan("eval", questions, "--json", library=seeds_library))
    assert told
    assert json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("content", ["", "{", '{"text": "x"}', "[]", "\ufeff"])
def test_questions_that_are_none_are_told_by_line(
    citespan: Citespan, seeds_library: Path, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(content)
    for command in ("eval", "bench"):
        result = citespan(command, file, library=seeds_library)
        assert result.exit_code == 1, result.output
        assert str(file) in result.stderr
        assert isinstance(result.exception, SystemExit)


def test_a_missing_file_of_questions_is_told(citespan: Citespan, seeds_library: Path, tmp_path: Path) -> None:
    result = citespan("eval", tmp_path / "none.jsonl", library=seeds_library)
    assert result.exit_code == 1
    assert "none.jsonl" in result.stderr


# ---- what goes wrong -----------------------------------------------------------------------------------------------

NEEDS_LIBRARY = [
    ("ask", ANSWERED), ("documents",), ("show", "doc_x"), ("verify",), ("eval", SEEDS / "questions.jsonl"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", NEEDS_LIBRARY, ids=lambda arguments: str(arguments[0]))
def test_without_a_library_the_way_to_one_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    def load(settings: object) -> Embedder:
        raise AssertionError("a model was loaded for nothing")

    monkeypatch.setattr("api.wiring.open_embedder", load)
    place = tmp_path / "none"
    result = CliRunner().invoke(cli.app, ["--library", str(place), *map(str, arguments)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"citespan: {place}: no library there; make one with `citespan --library {place} sync PATH`\n"
    )
    told = CliRunner().invoke(cli.app, ["--library", str(place), *map(str, arguments), "--json"])
    assert as_json(told)["error"]["code"] == "library-not-found"
    assert not place.exists()


@pytest.mark.parametrize("command", ["sync", "documents"])
def test_a_library_folder_that_is_a_file_is_told(
    citespan: Citespan, sources: Path, tmp_path: Path, command: str
) -> None:
    place = tmp_path / "file"
    place.write_text("")
    result = citespan(command, *([sources] if command == "sync" else []), library=place)
    assert result.exit_code == 1
    assert str(place) in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["sync", "documents", "verify"])
def test_a_damaged_library_is_told(citespan: Citespan, sources: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.sqlite").write_bytes(b"garbage" * 1000)
    result = citespan(command, *([sources] if command == "sync" else []), library=tmp_path / "library")
    assert result.exit_code == 1
    assert "library.sqlite" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["ask"], ["sync"], ["serve", "--port", "x"], ["serve", "--port", "65536"], ["--nonsense"],
     ["ask", "x", "--max-citations", "0"], ["ask", "x", "y"], ["eval"]],
)  # fmt: skip
def test_wrong_usage_is_code_two(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert result.stdout == ""


def test_a_wrong_variable_is_wrong_usage_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITESPAN_PORT", "eighty")
    for command in ("documents", "serve", "doctor"):
        result = CliRunner().invoke(cli.app, [command])
        assert result.exit_code == 2
        assert "CITESPAN_PORT" in result.stderr


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for command in (
        "sync", "watch", "ask", "chat", "serve", "documents", "show", "delete", "generations", "diff", "rollback",
        "verify", "compact", "reembed", "backup", "restore", "absent", "eval", "bench", "doctor",
    ):  # fmt: skip
        assert f"\n  {command}" in result.stdout
        assert CliRunner().invoke(cli.app, [command, "--help"]).exit_code == 0


# ---- the installed command -----------------------------------------------------------------------------------------


def test_the_installed_command_prints_its_reply_and_nothing_else(seeds_library: Path, tmp_path: Path) -> None:
    """In an environment of its own: no terminal, the library from a variable, a working directory full of traps."""
    for trap in ("api", "qa", "index"):
        (tmp_path / trap).mkdir()
        (tmp_path / trap / "__init__.py").write_text("raise SystemExit('this is not citespan')\n")
    done = subprocess.run(
        [CITESPAN, "ask", ANSWERED, "--json"], cwd=tmp_path, env={**os.environ, "CITESPAN_LIBRARY": str(seeds_library)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kyodo" in json.loads(done.stdout)["answer"]


def test_bench_measures_a_real_server(citespan: Citespan, seeds_library: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    first = (SEEDS / "questions.jsonl").read_text(encoding="utf-8").splitlines()[0]
    questions.write_text(first, encoding="utf-8")
    result = citespan("bench", questions, "--rounds", 1, "--json", library=seeds_library)
    assert result.exit_code == 0, result.output
    told = as_json(result)
    assert (told["questions"], told["rounds"]) == (1, 1)
    assert told["seconds from start to ready"] > 0
    assert told["median milliseconds a question"] == told["p95 milliseconds"] == told["p99 milliseconds"] > 0


def test_doctor_says_what_is_sound_and_what_is_not(seeds_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.doctor._embedder", lambda settings: "as it should be")
    result = CliRunner().invoke(cli.app, ["--library", str(seeds_library), "doctor"])
    assert result.exit_code == 0
    assert [line[:5] for line in result.stdout.splitlines()] == ["ok   "] * 5
    monkeypatch.setattr("api.doctor.foreign_owners", lambda: {"api": {"acme-api"}})
    told = CliRunner().invoke(cli.app, ["--library", str(seeds_library), "doctor", "--json"])
    assert told.exit_code == 1
    assert [finding["what"] for finding in as_json(told) if not finding["ok"]] == ["packages"]


def test_ask_shows_the_sides_where_sources_differ_and_explains_the_days(citespan: Citespan, tmp_path: Path) -> None:
    head = "---\ntitle: {}\ndate: {}\n---\n"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "post.md").write_text(
        head.format("Bridge reopens", "2026-03-05")
        + "The bridge of Arnvik was reopened on Tuesday after repairs that cost 4.2 million crowns, the mayor said.\n"
    )
    (tmp_path / "docs" / "news.md").write_text(
        head.format("Arnvik has its bridge back", "2026-03-06")
        + "The repairs of the bridge of Arnvik cost 5.1 million crowns, the county said.\n"
    )
    library = tmp_path / "library"
    citespan("sync", tmp_path / "docs", library=library)
    question = "How much did the repairs of the bridge of Arnvik cost?"
    lines = citespan("ask", question, "--risk", 1, library=library).stdout.splitlines()
    at = lines.index("The sources differ:")
    sides = {line.split(" [")[0].strip(): line.split("], ")[1] for line in lines[at + 1 : at + 3]}
    assert sides == {
        "5.1 million crowns": "1 document, 2026-03-06",
        "4.2 million crowns": "1 document, 2026-03-05",
    }
    assert "      “Tuesday” is 2026-03-03" in lines
