"""The starter library: the briefs, and the labelled questions that everything else is measured with."""

import datetime
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
SEEDS = REPOSITORY / "seeds"
REPORTS = REPOSITORY.parent / "shared" / "seeds"
BRIEFS = ("upi-rare-earths.md", "kyodo-rare-earths.md")

LONGEST_SHARED_RUN = 6
"""Words in a row that a text of ours may have in common with a report."""

needs_reports = pytest.mark.skipif(
    not REPORTS.is_dir(), reason="the two source reports (shared/seeds beside the repository) are not here"
)


@dataclass(frozen=True, slots=True)
class Gold:
    """A sentence that answers a question, and the brief in which it stands."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """One line of `questions.jsonl`; `conversation` is empty for a stand-alone question."""

    id: str
    question: str
    answerable: bool
    answers: tuple[Gold, ...]
    facts: tuple[str, ...]
    short_answer: str
    conversation: str


def labelled_questions() -> tuple[Labelled, ...]:
    """Return all lines of `questions.jsonl`, in the order of the file."""
    lines = (SEEDS / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(
        Labelled(
            id=row["id"],
            question=row["question"],
            answerable=row["answerable"],
            answers=tuple(Gold(**answer) for answer in row["answers"]),
            facts=tuple(row["facts"]),
            short_answer=row["short_answer"],
            conversation=row.get("conversation", ""),
        )
        for row in map(json.loads, lines)
    )


QUESTIONS = labelled_questions()
ANSWERABLE = tuple(q for q in QUESTIONS if q.answerable)
STAND_ALONE = tuple(q for q in QUESTIONS if not q.conversation)


def conversations() -> Mapping[str, tuple[Labelled, ...]]:
    """Return the turns of each conversation, in the order of the file."""
    turns: defaultdict[str, tuple[Labelled, ...]] = defaultdict(tuple)
    for question in QUESTIONS:
        if question.conversation:
            turns[question.conversation] += (question,)
    return turns


def front_matter(brief: str) -> Mapping[str, object]:
    """Return the YAML header of a brief."""
    _, header, _ = (SEEDS / brief).read_text(encoding="utf-8").split("---\n", 2)
    fields = yaml.safe_load(header)
    assert isinstance(fields, dict)
    return fields


def plain(brief: str) -> str:
    """Return what a reader sees of a brief: no header, no `#`, a paragraph on one line."""
    _, _, body = (SEEDS / brief).read_text(encoding="utf-8").split("---\n", 2)
    blocks = (block.strip().lstrip("#").strip() for block in re.split(r"\n\s*\n", body))
    return "\n".join(" ".join(block.split("\n")) for block in blocks if block)


def reports() -> str:
    """Return the text of both source reports."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(REPORTS.glob("*.txt")))


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, hyphens split and apostrophes dropped."""
    return tuple(re.findall(r"\w+", re.sub(r"['’]", "", text.lower())))


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield every run of words that is one word longer than may be shared."""
    all_words = words(text)
    size = LONGEST_SHARED_RUN + 1
    return (all_words[i : i + size] for i in range(len(all_words) - size + 1))


def our_texts() -> Mapping[str, str]:
    """Return every text of ours under a name for the failure message."""
    briefs = {brief: (SEEDS / brief).read_text(encoding="utf-8") for brief in BRIEFS}
    readme = {"docs/seeds.md": (SEEDS.parent / "docs" / "seeds.md").read_text(encoding="utf-8")}
    return briefs | readme | {q.id: f"{q.question}\n{q.short_answer}" for q in QUESTIONS}


@pytest.mark.parametrize("brief", BRIEFS)
def test_a_brief_says_what_it_restates_and_when_that_was_published(brief: str) -> None:
    fields = front_matter(brief)
    assert fields["published_at"] == datetime.date(2026, 1, 10)
    assert fields["language"] == "en"
    assert str(fields["title"]).startswith("Brief: ")
    assert str(fields["publisher"]).startswith("Citespan starter library, after a report ")


def test_only_the_report_that_names_its_author_has_one() -> None:
    assert front_matter("upi-rare-earths.md")["author"] == "Asia Today, translated by UPI"
    assert "author" not in front_matter("kyodo-rare-earths.md")


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda q: q.id)
def test_every_gold_quote_is_a_whole_sentence_of_its_brief(question: Labelled) -> None:
    assert question.answers
    for gold in question.answers:
        assert re.search(rf"(?:^|[.] ){re.escape(gold.quote)}(?:$| [A-Z])", plain(gold.document), re.MULTILINE)
        assert gold.quote.endswith(".")


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda q: q.id)
def test_every_fact_stands_in_a_gold_quote(question: Labelled) -> None:
    assert question.facts
    for fact in question.facts:
        assert any(fact.lower() in gold.quote.lower() for gold in question.answers), fact


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda q: q.id)
def test_no_sentence_of_a_brief_holds_a_fact_without_being_gold(question: Labelled) -> None:
    gold = {answer.quote for answer in question.answers}
    for brief in BRIEFS:
        rest = plain(brief)
        for quote in gold:
            rest = rest.replace(quote, "")
        assert [fact for fact in question.facts if fact.lower() in rest.lower()] == []


def test_every_sentence_of_the_briefs_answers_a_question() -> None:
    for brief in BRIEFS:
        rest = (plain(brief) + "\n").replace("\n", " \n")
        for gold in {answer for question in QUESTIONS for answer in question.answers if answer.document == brief}:
            rest = rest.replace(gold.quote, "")
        assert [line for line in rest.splitlines() if "." in line] == []


def test_a_question_without_an_answer_has_no_gold_and_no_facts() -> None:
    silent = [q for q in QUESTIONS if not q.answerable]
    assert [q.id for q in silent if q.answers or q.facts or q.short_answer] == []


def test_ids_and_stand_alone_questions_are_unique() -> None:
    assert [i for i, n in Counter(q.id for q in QUESTIONS).items() if n > 1] == []
    assert [text for text, n in Counter(q.question.lower() for q in STAND_ALONE).items() if n > 1] == []


def test_there_are_enough_questions_of_each_kind() -> None:
    assert sum(q.answerable for q in STAND_ALONE) >= 48
    assert sum(not q.answerable for q in STAND_ALONE) >= 20
    assert len(conversations()) >= 8


def test_the_readme_gives_the_counts_of_the_file() -> None:
    turns = [q for q in QUESTIONS if q.conversation]
    sentence = (
        f"There are {sum(q.answerable for q in STAND_ALONE)} stand-alone questions with an answer, "
        f"{sum(not q.answerable for q in STAND_ALONE)} stand-alone questions without one, "
        f"and {len(conversations())} conversations with {len(turns)} turns, "
        f"of which {sum(not q.answerable for q in turns)} have no answer."
    )
    assert sentence in " ".join((SEEDS.parent / "docs" / "seeds.md").read_text(encoding="utf-8").split())


def test_a_conversation_has_two_to_four_turns_that_follow_one_another() -> None:
    order = [q.conversation for q in QUESTIONS if q.conversation]
    assert order == [name for name, turns in conversations().items() for _ in turns]
    assert {name: len(turns) for name, turns in conversations().items() if not 2 <= len(turns) <= 4} == {}


def test_the_first_turn_of_a_conversation_stands_alone() -> None:
    for turns in conversations().values():
        first = turns[0]
        assert first.answerable
        assert len(first.question.split()) >= 6
        assert first.question.split()[0] in {"How", "Is", "What", "Which", "Who", "Will"}


@needs_reports
@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda q: q.id)
def test_every_fact_stands_in_a_source_report(question: Labelled) -> None:
    text = reports().lower()
    assert [fact for fact in question.facts if fact.lower() not in text] == []


@needs_reports
def test_no_text_of_ours_repeats_the_wording_of_a_report() -> None:
    theirs = {run for path in sorted(REPORTS.glob("*.txt")) for run in runs(path.read_text(encoding="utf-8"))}
    assert theirs
    shared = {name: [" ".join(run) for run in runs(text) if run in theirs] for name, text in our_texts().items()}
    assert {name: found for name, found in shared.items() if found} == {}
