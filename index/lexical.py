"""The word index: tantivy BM25 with stemming over the live passages. The only file that knows tantivy.

It is a folder beside the library file, derived from it. A sync adds the new passages before its commit and takes the
old ones out after it, so at every moment the index holds at least what the current generation needs; the store drops
the hits that are not live. `state.json` names the generation up to which nothing is missing, and the one up to which
everything old has been taken out.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from index.types import Passage

FORMAT = 1
_FOLDER = "words"
_STATE = "state.json"
_WRITING = "writing"
_ANALYZER = "citespan_en"
# A title counts, but less than the text: it is the same for every passage of its document.
_TITLE_WEIGHT = 0.5
_HEAP_BYTES = 64_000_000
_log = logging.getLogger(__name__)


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

    `complete_to` is the generation up to which it holds every live passage, -1 if it has to be rebuilt; `clean_to` the
    one up to which passages that are not live any more have been taken out.
    """

    def __init__(self, library_folder: Path) -> None:
        self._folder = library_folder / _FOLDER
        self.complete_to = self.clean_to = -1
        self.reload()

    def serves(self, present: int) -> bool:
        """Return whether nothing of `present`, the newest generation, is missing.

        An index that was cleaned for a later one is of another history: the library was restored from a backup.
        """
        return self.complete_to >= present >= self.clean_to

    def reload(self) -> None:
        """Take up what another process wrote."""
        self.complete_to, self.clean_to = _state(self._folder)
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

    def add(self, passages: Iterable[Passage], *, complete_to: int) -> None:
        """Add passages and note that nothing is missing up to generation `complete_to`. Repeating it is harmless."""
        with self._writing() as writer:
            for passage in passages:
                self._delete(writer, passage.id)
                writer.add_document(_document(passage))
        _write_state(self._folder, complete_to, self.clean_to)
        self.reload()

    def remove(self, ids: Sequence[int], *, clean_to: int) -> None:
        """Take passages out and note that none is left that ended by generation `clean_to`."""
        with self._writing() as writer:
            for number in ids:
                self._delete(writer, number)
        _write_state(self._folder, self.complete_to, clean_to)
        self.reload()

    def rebuild(self, passages: Iterable[Passage], *, complete_to: int) -> None:
        """Build the index anew beside the old one and put it in its place."""
        draft = self._folder.with_name(f"{_FOLDER}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(draft))
        _register(index)
        with _committing(index) as writer:
            for passage in passages:
                writer.add_document(_document(passage))
        _write_state(draft, complete_to, complete_to)
        old = self._folder.with_name(f"{_FOLDER}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._folder.exists():
            self._folder.rename(old)
        draft.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)
        self.reload()

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


def _document(passage: Passage) -> tantivy.Document:
    document = tantivy.Document(title=passage.document.title, text=passage.text)
    document.add_unsigned("id", passage.id)  # as a keyword it would become a signed number
    return document


def _query(schema: tantivy.Schema, terms: Sequence[str]) -> tantivy.Query | None:
    """Return "any of the terms" over text and title; built from terms, so no character of a question is syntax."""
    should = []
    for term in terms:
        text = tantivy.Query.term_query(schema, "text", term, "freq")
        title = tantivy.Query.boost_query(tantivy.Query.term_query(schema, "title", term, "freq"), _TITLE_WEIGHT)
        should += [(tantivy.Occur.Should, text), (tantivy.Occur.Should, title)]
    return tantivy.Query.boolean_query(should) if should else None


def _state(folder: Path) -> tuple[int, int]:
    """Return (complete to, clean to), (-1, -1) if there is no index of this format."""
    try:
        state = json.loads((folder / _STATE).read_text())
        return (int(state["complete_to"]), int(state["clean_to"])) if state["format"] == FORMAT else (-1, -1)
    except (OSError, ValueError, KeyError, TypeError):
        return (-1, -1)


def _write_state(folder: Path, complete_to: int, clean_to: int) -> None:
    draft = folder / f"{_STATE}.new"
    draft.write_text(json.dumps({"format": FORMAT, "complete_to": complete_to, "clean_to": clean_to}))
    draft.rename(folder / _STATE)
