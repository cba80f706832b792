"""The word index: tantivy BM25 with stemming over the passages. The only file that knows tantivy.

It is a folder beside the library file, derived from it. It holds the passages of every generation that is kept: a sync
adds the new ones before its commit, and only retention and purge take some out, so a rollback changes nothing here. The
store drops the hits that are not live. `state.json` names the library's history and the passage up to which nothing is
missing.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

FORMAT = 2
_FOLDER = "words"
_STATE = "state.json"
_WRITING = "writing"
_ANALYZER = "citespan_en"
# A title counts, but less than the text: it is the same for every passage of its document.
_TITLE_WEIGHT = 0.5
_HEAP_BYTES = 64_000_000
_SWEEP_SECONDS = 5.0
_log = logging.getLogger(__name__)

Entry = tuple[int, str, str]
"""A passage as it is indexed: id, title of its document, text."""


class LexicalSearcher:
    """The word index as it stood at one moment; later writes do not show."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher

    def search(self, words: str, limit: int) -> list[tuple[int, float]]:
        """Return up to `limit` passages that share a word with `words`, with their BM25 score, best first."""
        query = _query(self._schema, analyze(words))
        return [] if query is None or limit < 1 else self._run(query, limit)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending, with repeats if there were any."""
        found = self._run(tantivy.Query.all_query(), max(1, self._searcher.num_docs))
        return sorted(number for number, _ in found)

    def _run(self, query: tantivy.Query, limit: int) -> list[tuple[int, float]]:
        hits = self._searcher.search(query, limit, count=False).hits
        return [(int(self._searcher.doc(address)["id"][0]), float(score)) for score, address in hits]


class LexicalIndex:
    """The word index of one library folder, for readers in any thread and for one writer.

    `history` is the library's: an index made from another one, which a backup has replaced since, is not taken.
    `complete_to` is the greatest id of a passage that it holds with all that were kept before, -1 if it has to be
    rebuilt.
    """

    def __init__(self, library_folder: Path, history: str) -> None:
        self._folder = library_folder / _FOLDER
        self._draft, self._old = (library_folder / f"{_FOLDER}.{end}" for end in ("new", "old"))
        self._history = history
        self.complete_to = -1
        self.reload()

    def serves(self, newest: int) -> bool:
        """Return whether no kept passage up to the id `newest` is missing."""
        return self.complete_to >= newest

    def reload(self) -> None:
        """Take up what another process wrote."""
        self.complete_to = _state(self._folder, self._history)
        if self.complete_to >= 0:
            try:
                self._index = _open(self._folder)
                self._current = LexicalSearcher(self._index.schema, self._index.searcher())
                # Some files are only opened by the first search: a missing one is to show now.
                self._current.search(_ANALYZER, 1)
            except (ValueError, OSError) as error:  # tantivy raises ValueError for files it cannot read
                _log.warning("the word index cannot be read and will be rebuilt: %s", error)
                self.complete_to = -1

    def searcher(self) -> LexicalSearcher:
        """Return a frozen view of the index as last loaded."""
        return self._current

    # ---- writing: only under the library's writer lock -----------------------------------------------------------

    @property
    def interrupted(self) -> bool:
        """Whether a write did not come to its end. Searches go on; before it is written to again it is to be rebuilt.

        Tantivy may have left a file behind whose name it wants to use again, and would fail at that for ever.
        """
        return (self._folder / _WRITING).exists()

    def add(self, entries: Iterable[Entry]) -> None:
        """Add passages that are newer than all it holds. Repeating it is harmless."""
        newest = self.complete_to
        with self._writing() as writer:
            for number, title, text in entries:
                self._delete(writer, number)
                writer.add_document(_document(number, title, text))
                newest = max(newest, number)
        _write_state(self._folder, self._history, newest)
        self.reload()

    def remove(self, ids: Sequence[int]) -> None:
        """Take passages out."""
        with self._writing() as writer:
            for number in ids:
                self._delete(writer, number)
        self.reload()

    def rebuild(self, entries: Iterable[Entry]) -> None:
        """Build the index anew from all kept passages, beside the old one, and put it in its place."""
        self.sweep()
        draft, old = self._draft, self._old
        draft.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(draft))
        _register(index)
        newest = 0
        with _committing(index) as writer:
            for number, title, text in entries:
                writer.add_document(_document(number, title, text))
                newest = max(newest, number)
        _write_state(draft, self._history, newest)
        if self._folder.exists():
            self._folder.rename(old)
        draft.rename(self._folder)
        self.sweep()
        self.reload()

    def sweep(self) -> None:
        """Delete what an interrupted rebuild left beside the index."""
        for folder in (self._draft, self._old):
            deadline = time.monotonic() + _SWEEP_SECONDS
            # Tantivy in a process that still has it open looks for news now and then, and makes a lock file for that.
            while folder.exists() and time.monotonic() < deadline:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        mark = self._folder / _WRITING
        mark.touch()
        with _committing(self._index) as writer:
            yield writer
        mark.unlink()

    def _delete(self, writer: tantivy.IndexWriter, number: int) -> None:
        # By query: deleting by term takes every number for a signed one and finds nothing in an unsigned field.
        writer.delete_documents_by_query(tantivy.Query.term_query(self._index.schema, "id", number))


@contextmanager
def _committing(index: tantivy.Index) -> Iterator[tantivy.IndexWriter]:
    """Yield a writer that commits if all goes well, and gives up tantivy's lock in any case."""
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    try:
        yield writer
        writer.commit()
    except BaseException:
        writer.rollback()
        raise
    finally:
        writer.wait_merging_threads()


def analyze(words: str) -> list[str]:
    """Return the stemmed terms of `words` as the index holds them, in order, without repeats."""
    return list(dict.fromkeys(_analyzer().analyze(words)))


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(60), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()):
        builder = builder.filter(step)
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", stored=True, indexed=True)
    builder.add_text_field("title", stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    builder.add_text_field("text", stored=False, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


def _register(index: tantivy.Index) -> None:
    index.register_tokenizer(_ANALYZER, _analyzer())


def _open(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    _register(index)
    index.reload()
    return index


def _document(number: int, title: str, text: str) -> tantivy.Document:
    document = tantivy.Document(title=title, text=text)
    document.add_unsigned("id", number)  # as a keyword it would become a signed number
    return document


def _query(schema: tantivy.Schema, terms: Sequence[str]) -> tantivy.Query | None:
    """Return "any of the terms" over text and title; built from terms, so no character of a question is syntax."""
    should = []
    for term in terms:
        text = tantivy.Query.term_query(schema, "text", term, "freq")
        title = tantivy.Query.boost_query(tantivy.Query.term_query(schema, "title", term, "freq"), _TITLE_WEIGHT)
        should += [(tantivy.Occur.Should, text), (tantivy.Occur.Should, title)]
    return tantivy.Query.boolean_query(should) if should else None


def _state(folder: Path, history: str) -> int:
    """Return up to which passage nothing is missing, -1 if there is no index of this format and history."""
    try:
        state = json.loads((folder / _STATE).read_text())
        fits = (state["format"], state["history"]) == (FORMAT, history)
        return int(state["complete_to"]) if fits else -1
    except (OSError, ValueError, KeyError, TypeError):
        return -1


def _write_state(folder: Path, history: str, complete_to: int) -> None:
    draft = folder / f"{_STATE}.new"
    draft.write_text(json.dumps({"format": FORMAT, "history": history, "complete_to": complete_to}))
    draft.rename(folder / _STATE)
