"""Collections that say which documents are relevant to a query. The data itself stays outside the repository."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import SHARED, news

_FIELD = re.compile(r"^\.([A-Z])(?:\s+(.*))?$")


@dataclass(frozen=True, slots=True)
class Judged:
    """Documents by file name, queries by number, and the file names that are relevant to each query."""

    name: str
    documents: Mapping[str, str]
    queries: Mapping[int, str]
    relevant: Mapping[int, frozenset[str]]


def cranfield(shared: Path = SHARED) -> Judged:
    """1,400 abstracts on aerodynamics and 225 queries. Relevant is what is judged 1 to 4; -1 is "of no interest"."""
    folder = shared / "cranfield"
    # The judgments number the queries in the order of the file, not by the numbers in it.
    queries = {number: record["W"] for number, record in enumerate(_records(folder / "cran.qry"), start=1)}
    judged: dict[int, set[str]] = {}
    for line in (folder / "cranqrel").read_text(encoding="ascii").splitlines():
        query, document, grade = (int(part) for part in line.split())
        if grade > 0:
            judged.setdefault(query, set()).add(_file(document))
    return _collection("Cranfield", folder / "cran.all.1400", queries, judged)


def cisi(shared: Path = SHARED) -> Judged:
    """1,460 abstracts on information science and 112 queries, of which 76 are judged."""
    folder = shared / "cisi"
    queries = {int(record["I"]): record["W"] for record in _records(folder / "CISI.QRY")}
    judged: dict[int, set[str]] = {}
    for line in (folder / "CISI.REL").read_text(encoding="ascii").splitlines():
        query, document, *_ = line.split()
        judged.setdefault(int(query), set()).add(_file(int(document)))
    return _collection("CISI", folder / "CISI.ALL", queries, judged)


def xquad(shared: Path = SHARED) -> Judged:
    """150 paragraphs and 726 questions, each about one of them. No paragraph says what its article is called."""
    articles = json.loads(gzip.decompress((shared / "xquad" / "en-public.json.gz").read_bytes()))["data"]
    documents: dict[str, str] = {}
    queries: dict[int, str] = {}
    relevant: dict[int, frozenset[str]] = {}
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        name = _file(len(documents))
        documents[name] = paragraph["context"]
        for question in paragraph["qas"]:
            relevant[len(queries)] = frozenset([name])
            queries[len(queries)] = str(question["question"]).strip()
    return Judged("XQuAD", documents, queries, relevant)


def judged_news(shared: Path = SHARED) -> Judged:
    """The news articles; relevant to a question is the article that it was asked about."""
    found = news(shared)
    queries = {number: question.text for number, question in enumerate(found.questions)}
    gold = {n: frozenset(g.document for g in question.gold) for n, question in enumerate(found.questions)}
    return Judged("news", found.documents, queries, gold)


def _collection(name: str, documents: Path, queries: Mapping[int, str], judged: Mapping[int, set[str]]) -> Judged:
    texts = {}
    for record in _records(documents):
        # The lines are those of a punched card: a sentence goes on over their ends.
        title = json.dumps(record.get("T", "").rstrip(" ."))
        if body := record.get("W", ""):
            texts[_file(int(record["I"]))] = f"---\ntitle: {title}\n---\n{body}\n"
    kept = {number: query for number, query in queries.items() if number in judged}
    return Judged(name, texts, kept, {number: frozenset(judged[number]) for number in kept})


def _records(path: Path) -> Iterator[dict[str, str]]:
    """Yield the records of a SMART file: field letter → text, its white space as single blanks."""
    record: dict[str, list[str]] = {}
    field = ""
    for line in path.read_text(encoding="ascii").splitlines():
        if found := _FIELD.match(line):
            if found[1] == "I" and record:
                yield _joined(record)
                record = {}
            field = found[1]
            record.setdefault(field, []).append(found[2] or "")
        else:
            record.setdefault(field, []).append(line)
    yield _joined(record)


def _joined(record: Mapping[str, list[str]]) -> dict[str, str]:
    return {field: " ".join(" ".join(lines).split()) for field, lines in record.items()}


def _file(number: int) -> str:
    return f"{number:04}.txt"
