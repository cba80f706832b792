"""The public question sets as documents and labelled questions. The data itself stays outside the repository."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.load.normalise import normalise
from index.sentences import split
from qa.evaluation.labelled import Gold, Labelled, read_questions
from training.written import load_written

SHARED = Path(__file__).parents[2] / "shared" / "data"
ASKED = Path(__file__).with_name("asked-news.jsonl")
OWN = Path(__file__).with_name("own-texts.jsonl")


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents by file name, and questions about them."""

    name: str
    documents: Mapping[str, str]
    questions: tuple[Labelled, ...]

    def sample(self, count: int, seed: int = 0) -> QuestionSet:
        """Return the set with `count` questions drawn at random, in their order; all if there are fewer."""
        if count >= len(self.questions):
            return self
        kept = sorted(random.Random(seed).sample(range(len(self.questions)), count))
        return replace(self, questions=tuple(self.questions[i] for i in kept))

    def write(self, folder: Path) -> Path:
        """Write the documents as files into the new `folder` and return it."""
        folder.mkdir(parents=True)
        for name, text in self.documents.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder


def news(shared: Path = SHARED) -> QuestionSet:
    """189 news articles and 162 questions on ten of them (OneStopEnglish, OneStopQA)."""
    folder = shared / "onestop"
    documents = {p.name: p.read_text(encoding="utf-8") for p in sorted((folder / "documents").glob("*.txt"))}
    return QuestionSet("news", documents, tuple(read_questions(folder / "questions-public.jsonl")))


def news_without_sources(shared: Path = SHARED) -> QuestionSet:
    """The same without the ten articles: now no question can be answered."""
    full = news(shared)
    sources = {gold.document for question in full.questions for gold in question.gold}
    documents = {name: text for name, text in full.documents.items() if name not in sources}
    questions = tuple(replace(q, answerable=False, gold=(), short_answer=None) for q in full.questions)
    return QuestionSet("news without sources", documents, questions)


def news_asked(shared: Path = SHARED) -> QuestionSet:
    """The articles with our questions on 72 others of them, as people ask; three of eight have no answer.

    `asked-news.jsonl` has no text of the articles: `start` and `end` count characters of the file, and are null where
    none of the articles answers; `also` has other places that answer, judged among those that the service proposed.
    """
    documents = news(shared).documents
    questions = []
    for line in ASKED.read_text(encoding="utf-8").splitlines():
        raw = json.loads(line)
        places = [raw, *raw.get("also", ())] if raw["start"] is not None else []
        gold = tuple(Gold(one["document"], documents[one["document"]][one["start"] : one["end"]]) for one in places)
        questions.append(Labelled(str(raw["question"]), bool(gold), gold, (), None, None))
    return QuestionSet("news as people ask", documents, tuple(questions))


def own_texts(path: Path = OWN) -> QuestionSet:
    """Invented news, reports, notices and manuals with questions as people ask; six of fourteen have no answer.

    No reader was trained on these. A question that was put after another one is asked as it is understood then.
    """
    documents: dict[str, str] = {}
    questions = []
    for number, one in enumerate(load_written(path, held_out=None)):
        name = f"own-{number:03}.md"
        documents[name] = f"---\ntitle: {json.dumps(one.title, ensure_ascii=False)}\n---\n\n" + "\n\n".join(
            one.text.split("\n")
        )
        for row in one.rows:
            gold = () if row.answer is None else (Gold(name, row.answer),)
            questions.append(Labelled(row.question, bool(gold), gold, (), None, None))
    return QuestionSet("our own texts", documents, tuple(questions))


def squad_open(shared: Path = SHARED) -> QuestionSet:
    """SQuAD 2.0 dev-public in the open setting: every paragraph a document, its article not told."""
    articles = json.loads(gzip.decompress((shared / "squad2" / "dev-public.json.gz").read_bytes()))["data"]
    documents: dict[str, str] = {}
    questions: list[Labelled] = []
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            name = f"{article['title']}-{number:03}.txt".replace("/", "-")
            documents[name] = paragraph["context"]
            questions += [_labelled(name, paragraph["context"], qa) for qa in paragraph["qas"]]
    return QuestionSet("SQuAD 2.0 open", documents, tuple(questions))


def _labelled(name: str, context: str, qa: Mapping[str, Any]) -> Labelled:
    """Return a question whose gold quotes are the sentences that hold an annotated answer."""
    text = normalise(context)
    sentences = [s.span.of(text) for s in split(text)]
    answers = [str(a["text"]) for a in qa["answers"]]
    gold = []
    for answer in qa["answers"]:
        start = int(answer["answer_start"])
        holding = [s for s in sentences if answer["text"] in s and text.find(s) <= start < text.find(s) + len(s)]
        gold += [Gold(name, sentence) for sentence in holding or [str(answer["text"])]]
    return Labelled(
        text=str(qa["question"]).strip(),
        answerable=bool(answers),
        gold=tuple(dict.fromkeys(gold)),
        facts=(),
        short_answer=answers[0] if answers else None,
        conversation=None,
    )
