"""The word index: which passages hold a stemmed term, and how often, in tantivy. The only file that knows tantivy.

It is a folder beside the library file, derived from it. It holds the passages of every generation that is kept: a sync
adds the new ones before its commit, and only retention and purge take some out, so a rollback changes nothing here.
Tantivy's own scores would depend on all of them, and on what was here before; so it gives none. `words.py` scores what
is live. `state.json` names the library's history and the passage up to which nothing is missing.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

FORMAT = 3
_FOLDER = "words"
_STATE = "state.json"
_WRITING = "writing"
# Tantivy's own, which only splits: what it is given is analysed before.
_TOKENIZER = "whitespace"
# Up to so many occurrences of a term, and terms of a text or title, are told apart.
MOST = 8
LONGEST = 255
# A passage's key: its id, then the length of its text and that of its title, in one number. A sorted hit carries one
# number, and nothing else of a hit is quick to get.
_LENGTHS, _TEXT_LENGTH, _TITLE_LENGTH = 16, 8, 0
_HEAP_BYTES = 64_000_000
_SWEEP_SECONDS = 5.0
_log = logging.getLogger(__name__)

Entry = tuple[int, str, str]
"""A passage as it is indexed: id, title of its document, text."""


@dataclass(frozen=True, slots=True)
class Postings:
    """The passages that hold a term, each array (passages,): their ids, int64 ascending; how often they hold it, uint8
    from 1 to MOST; and how many terms there are where it stands, repeats counted, uint8 from 1 to LONGEST.
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.uint8]
    lengths: NDArray[np.uint8]


class LexicalSearcher:
    """The word index as it stood at one moment; later writes do not show."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher) -> None:
        self._schema = schema
        self._searcher = searcher

    def in_texts(self, term: str) -> Postings:
        """Return the passages whose text holds a term, as `analyze` gives it."""
        return self._postings("text", term, _TEXT_LENGTH)

    def in_titles(self, term: str) -> Postings:
        """Return the passages of documents whose title holds a term, as `analyze` gives it."""
        return self._postings("title", term, _TITLE_LENGTH)

    def ids(self) -> list[int]:
        """Return the passages it holds, ascending, with repeats if there were any."""
        keys = self._keys(tantivy.Query.all_query(), self._searcher.num_docs)
        ids: list[int] = (keys >> _LENGTHS).tolist()
        return ids

    def probe(self) -> None:
        """Raise what tantivy raises for files that it only misses at the first search."""
        self._keys(tantivy.Query.term_query(self._schema, "text", _TOKENIZER, "basic"), 1)

    def _postings(self, field: str, term: str, length: int) -> Postings:
        keys = self._holding(field, term)
        counts = np.ones(len(keys), dtype=np.uint8)
        for times in range(2, MOST + 1):
            more = self._holding(field, _repeated(term, times))
            if not len(more):
                break
            counts[np.searchsorted(keys, more)] = times
        return Postings(keys >> _LENGTHS, counts, (keys >> length & LONGEST).astype(np.uint8))

    def _holding(self, field: str, token: str) -> NDArray[np.int64]:
        most = self._searcher.doc_freq(field, token)  # with those that are marked as deleted
        return self._keys(tantivy.Query.term_query(self._schema, field, token, "basic"), most)

    def _keys(self, query: tantivy.Query, most: int) -> NDArray[np.int64]:
        """Return the keys of the passages that match, ascending, int64 (passages,)."""
        if most < 1:
            return np.empty(0, dtype=np.int64)
        hits = self._searcher.search(query, most, count=False, order_by_field="key", order=tantivy.Order.Asc).hits
        return np.fromiter(map(itemgetter(0), hits), dtype=np.int64, count=len(hits))


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
                self._current.probe()
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
    """Return the stemmed terms of `words`, in order, without repeats."""
    return list(dict.fromkeys(terms(words)))


def terms(words: str) -> list[str]:
    """Return the stemmed terms of `words` as the index holds them: letters and digits only, in order, with repeats."""
    found: list[str] = _analyzer().analyze(words)
    return found


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(60), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()):
        builder = builder.filter(step)
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True)
    builder.add_unsigned_field("key", fast=True)
    builder.add_text_field("title", tokenizer_name=_TOKENIZER, index_option="basic")
    builder.add_text_field("text", tokenizer_name=_TOKENIZER, index_option="basic")
    return builder.build()


def _open(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    index.reload()
    return index


def _document(number: int, title: str, text: str) -> tantivy.Document:
    in_title, in_text = terms(title), terms(text)
    document = tantivy.Document(title=_tokens(in_title), text=_tokens(in_text))
    lengths = min(len(in_text), LONGEST) << _TEXT_LENGTH | min(len(in_title), LONGEST) << _TITLE_LENGTH
    # As keywords they would become signed numbers.
    document.add_unsigned("id", number)
    document.add_unsigned("key", number << _LENGTHS | lengths)
    return document


def _tokens(found: Sequence[str]) -> str:
    """Return each term, and again for its second, third … occurrence, as tantivy's tokenizer splits them.

    Tantivy tells who holds a token. It could keep how often, but would tell it only within a score.
    """
    tokens = []
    for term, count in Counter(found).items():
        tokens += [term, *(_repeated(term, times) for times in range(2, min(count, MOST) + 1))]
    return " ".join(tokens)


def _repeated(term: str, times: int) -> str:
    return f"{term}+{times}"  # no term has a plus


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
