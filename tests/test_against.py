"""What the answer of another product is worth, by where it stands."""

import json
import subprocess
import sys
from pathlib import Path

import benchmarks.contenders
from benchmarks.against import Judged, figures, judged
from qa.evaluation.labelled import Gold, Labelled

TEXT = "The ferry sank on Monday. All aboard were saved by fishing boats. The ferry was built in 1987."
GOLD = "All aboard were saved by  fishing boats."
QUESTION = Labelled(
    "Who saved them?",
    answerable=True,
    gold=(Gold("ferry.txt", GOLD),),
    facts=(),
    short_answer=None,
    conversation=None,
)
TEXTS = {"ferry.txt": TEXT, "other.txt": "All aboard were saved by fishing boats."}


def told(document: str | None, answer: str, passage: str = TEXT) -> Judged:
    return judged(QUESTION, {"document": document, "passage": passage, "answer": answer}, TEXTS)


def test_a_sentence_that_is_the_gold_quote_is_worth_most() -> None:
    assert told("ferry.txt", "All aboard were saved by fishing boats.") == Judged(True, True, True, 1.0, 7)


def test_a_whole_passage_overlaps_but_holds_more_words_than_were_asked_for() -> None:
    found = told("ferry.txt", TEXT)
    assert (found.overlap, found.words) == (True, 18)
    assert 0.4 < found.f1 < 0.7


def test_words_inside_the_gold_quote_overlap_it() -> None:
    assert told("ferry.txt", "fishing boats").overlap


def test_another_sentence_of_the_right_document_does_not() -> None:
    found = told("ferry.txt", "The ferry was built in 1987.")
    assert (found.right_document, found.overlap) == (True, False)


def test_the_same_words_of_another_document_are_not_right() -> None:
    assert told("other.txt", "All aboard were saved by fishing boats.", TEXTS["other.txt"]) == Judged(
        True, False, False, 0.0, 7
    )


def test_words_that_stand_twice_are_looked_for_in_their_passage() -> None:
    found = told("ferry.txt", "The ferry", "The ferry was built in 1987.")
    assert not found.overlap


def test_silence_counts_as_not_right_and_not_in_the_length() -> None:
    assert told(None, "") == Judged(False, False, False, 0.0, 0)
    rates = figures([told(None, ""), told("ferry.txt", "fishing boats")])
    assert (rates["answered"], rates["right document"], rates["words in an answer"]) == (0.5, 0.5, 2.0)


def test_a_contender_answers_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "ferry.txt").write_text(TEXT, encoding="utf-8")
    script = f"""
import sys
sys.path.insert(0, {str(Path(benchmarks.contenders.__file__).parent)!r})
import contenders
class Echo:
    def __init__(self, embedder, reader): pass
    def load(self): print("a library that prints")
    def build(self, documents): self.documents = documents
    def ask(self, question, *, always):
        return contenders.Told("ferry.txt", self.documents["ferry.txt"], question.upper())
    def versions(self): return []
contenders.CONTENDERS["bm25s"] = Echo
sys.argv = ["x", "bm25s", "--documents", {str(tmp_path)!r}, "--embedder", "e", "--reader", "r"]
contenders.main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        input='{"question": "who?", "always": true}\n',
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    started, reply, ended = map(json.loads, ran.stdout.splitlines())
    assert sorted(started) == ["build", "load", "versions", "work"]
    assert (reply["document"], reply["passage"], reply["answer"]) == ("ferry.txt", TEXT, "WHO?")
    assert ended["resident"] <= ended["peak"]
