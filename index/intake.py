"""Documents → one new generation: staged one by one, landed in one commit. What folders and uploads have in common.

Everything is staged first: read, cut, embedded, put into the word index. Then one SQLite commit makes it the newest
generation. Whatever stops an intake before that leaves the library as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from index.drafts import Draft, FileState, vector_key
from index.embed import Embedder
from index.embed_ahead import EmbeddingAhead
from index.errors import (
    DocumentError,
    EmptyDocument,
    NotReplaceable,
    SafetyStop,
    UnknownDocument,
    UnreadableDocument,
)  # fmt: skip
from index.lexical import LexicalIndex
from index.library import Library
from index.load import Limits, Loaded
from index.load.isolate import SafeLoader
from index.naming import embedding_text, free_id, overridden, place_name, title_from
from index.passages import Cut, PassagePolicy, cut
from index.quantise import quantise
from index.report import Check, Checker, Failure, Stage, SyncPolicy, SyncProgress
from index.sentences import split
from index.store import GenerationStore
from index.tidy import tidy
from index.types import Generation, LoadedDocument, Metadata, Revision
from index.vectors import VectorIndex
from index.writer import Writer

# More characters than any language has in a token. Tokenizers count 0 for what they drop and 1 for a "word" of any
# length: a page of such characters would make one passage of megabytes.
_TOKEN_CHARACTERS = 10
# One document may well be half of a small library.
_FEW = 1


class Intake:
    """One intake: what it has seen so far. Made under the writer's lock; `documents` first, then `land`."""

    def __init__(
        self, library: Library, writer: Writer, embedder: Embedder, policy: SyncPolicy, *, dry_run: bool,
        progress: Callable[[SyncProgress], None],
    ) -> None:  # fmt: skip
        self._library = library
        self._writer = writer
        self._embedder = embedder
        self._policy = policy
        self._dry_run = dry_run
        self._tell = progress
        self._loader = SafeLoader(Limits(file=policy.largest))
        self._words = LexicalIndex(library.folder, library.meta["history"])
        self._owned = writer.owned()
        self._withheld = writer.withheld()
        self._purged = writer.purged()
        self._added: dict[str, str] = {}  # document id → uri
        self._changed: dict[str, str] = {}
        self._vanished: list[str] = []
        self._restored: list[str] = []
        self._states: list[FileState] = []
        self._staged: list[int] = []
        self._ahead = EmbeddingAhead(embedder, self._embedded)
        self.failed: list[Failure] = []
        self.kept_out: list[str] = []
        self.ignored: list[str] = []
        self.skipped = self.seen = self.total = self.embedded = 0
        self.removed: list[str] = []
        self.aside: int | None = None
        self.check: Check | None = None

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(self._added.values())

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(self._changed.values())

    def report(self, stage: Stage) -> None:
        """Tell how far it is."""
        self._tell(SyncProgress(stage, self.seen, self.total, self.embedded))

    def close(self) -> None:
        """End the process that the loaders run in, and the embedding; what is embedded is kept."""
        self._loader.close()
        self._ahead.close(self._writer.stage_vectors)

    def tidy(self) -> None:
        """Undo what an interrupted change left behind, and mend the word index."""
        tidy(self._library, self._writer, self._words)

    # ---- one file -------------------------------------------------------------------------------------------------

    def passed_over(self, path: str, documents: Mapping[str, str]) -> bool:
        """Return whether nothing need be done for a file that is as it was; count it then."""
        out = [place_name(path, member) for member, identity in documents.items() if identity in self._withheld]
        if out and self._policy.include_deleted:
            return False
        self.kept_out += out
        self.skipped += len(documents) - len(out)
        if not documents:
            self.ignored.append(path)
        return True

    def not_a_document(self, state: FileState) -> None:
        """Remember a file in which there is no document, and never was."""
        self.ignored.append(state.path)
        self._states.append(state)

    def seen_again(self, state: FileState) -> None:
        """Remember a file that was read and is as it was."""
        self._states.append(state)

    def expect_within(self, tags: frozenset[str], path: str, identities: Iterable[str]) -> None:
        """Raise NotReplaceable if one of these documents carries none of `tags`, now or when it was deleted."""
        for identity in identities:
            try:
                newest = self._library.revisions(self._library.generation().number, identity, limit=1)
            except UnknownDocument:
                continue  # purged, or never landed
            if tags.isdisjoint(newest[0].tags):
                reason = "a document of this name is there and may not be replaced; take another name"
                raise NotReplaceable(path, reason)

    def documents(
        self, state: FileState, data: bytes, sidecar: bytes | None, before: Mapping[str, str],
        given: Metadata | None = None, *, wanted: bool = False,
    ) -> None:  # fmt: skip
        """Take in the documents of one file; `before` are those that it had, by member.

        `given` is what the sender says of the only document in it; of several its tags alone are taken. `wanted` takes
        in again what was deleted by hand.

        :raises DocumentError: if nothing of it can be read; what the library has of it stays.
        """
        loaded = load(self._loader, state.path, data, sidecar, self._policy.encoding)
        failures, looked_at = len(self.failed), True
        self.failed += [Failure(error.name, error.code, error.reason) for error in loaded.failures]
        broken = {error.name for error in loaded.failures}
        documents: dict[str, str] = {m: i for m, i in before.items() if place_name(state.path, m) in broken}
        for document in loaded.documents:
            if given is not None:
                said = given if len(loaded.documents) == 1 else Metadata(tags=given.tags)
                document = replace(document, metadata=overridden(document.metadata, said))
            try:
                identity = self._document(state, document, before, wanted)
                if identity is None:
                    looked_at = False
                else:
                    documents[document.member] = identity
            except DocumentError as error:
                self.failed.append(Failure(error.name, error.code, error.reason))
                if document.member in before:
                    documents[document.member] = before[document.member]
        self._vanished += [identity for member, identity in before.items() if member not in documents]
        # What failed or was purged is to be told of again by the next sync, so it is to look at this file again.
        pipeline = state.pipeline if looked_at and len(self.failed) == failures else ""
        self._states.append(replace(state, documents=documents, pipeline=pipeline))

    def _document(
        self, state: FileState, loaded: LoadedDocument, before: Mapping[str, str], wanted: bool
    ) -> str | None:
        """Stage one document if it is not as it was, and return its id; None for a purged text under a new name."""
        wanted = wanted or self._policy.include_deleted
        place = place_name(state.path, loaded.member)
        uri = loaded.metadata.url if loaded.metadata.url is not None else place
        title = title_of(loaded, state.path)
        known = before.get(loaded.member)
        revision = Revision.of(loaded.text)
        if known is None and revision.id in self._purged and not wanted:
            self.kept_out.append(place)
            return None
        identity = self._new_id(uri) if known is None else known
        if identity in self._withheld:
            if not wanted:
                self.kept_out.append(place)
                return identity
            self._restored.append(identity)
        draft = Draft(identity, uri, title, loaded.metadata, revision, loaded.pages, state.root, state.path,
                      loaded.member)  # fmt: skip
        present = self._writer.present(identity)
        if present is not None and present[1] == draft.fingerprint:
            self.skipped += 1
            return identity
        self._stage(draft, place)
        (self._added if present is None else self._changed)[identity] = uri
        return identity

    def _new_id(self, uri: str) -> str:
        # What was deleted by hand, and whose file is not known any more, is the same document if one comes again.
        identity = free_id(uri, self._owned)
        self._owned.add(identity)
        return identity

    def _stage(self, draft: Draft, place: str) -> None:
        text = draft.revision.text
        cuts = cuts_of(text, draft.metadata.language, self._embedder, self._policy.passages)
        if not cuts:
            raise EmptyDocument(place, "no sentence in it; nothing to index")
        if self._dry_run or self._writer.revive(draft):
            return
        texts = [embedding_text(draft.title, c.span.of(text)) for c in cuts]
        keys = [vector_key(self._embedder.fingerprint, text) for text in texts]
        self._staged += self._writer.stage_version(draft, cuts, keys)
        missing = self._writer.missing_vectors(keys)
        self._ahead.add({key: text for key, text in zip(keys, texts, strict=True) if key in missing})

    def _embedded(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        self._writer.stage_vectors(keys, vectors)
        self.embedded += len(keys)
        self.report("embed")

    # ---- landing --------------------------------------------------------------------------------------------------

    def land(self, gone: Sequence[FileState], moved: Sequence[FileState], check: Checker | None) -> int | None:
        """Commit what was taken in; return the new active generation, None if there is none.

        `gone` are files whose documents go with them; of `moved` ones only the place is forgotten.

        :raises SafetyStop: if more than half of the library would vanish; nothing is changed then.
        """
        vanished = [*self._vanished, *(identity for state in gone for identity in state.documents.values())]
        uris = {identity: present[0] for identity in vanished if (present := self._writer.present(identity))}
        self.removed = list(uris.values())
        live = self._writer.live_documents()
        if len(uris) > _FEW and 2 * len(uris) > live and not self._policy.allow_vanish:
            raise SafetyStop(
                f"{len(uris)} of {live} documents would be removed, because their files are gone; nothing was changed. "
                "If that is meant, run `citespan sync --yes`; to keep them, pass --keep-missing"
            )
        if self._dry_run:
            return None
        self._ahead.send()
        forget = [(s.root, s.path) for s in (*gone, *moved)]
        if not (self._added or self._changed or uris):
            self._writer.remember(self._states, forget)
            return None
        # While the last texts are embedded.
        self._words.add(self._library.words(self._staged))
        self._ahead.finish()
        self.report("index")
        quantise(self._library, self._writer, self._policy.quantising)
        summary = {"added": len(self._added), "changed": len(self._changed), "removed": len(uris),
                   "failed": len(self.failed)}  # fmt: skip
        if check is not None:
            self.report("check")
            self.check = self._judge(check, list(uris))
            if not self.check.passed:
                self.report("commit")
                self.aside = self._writer.commit_aside(changed=list(self._changed), removed=list(uris), summary=summary)
                return None
        self.report("commit")
        return self._writer.commit(
            changed=list(self._changed), removed=list(uris), files=self._states, gone=forget, summary=summary,
            restored=self._restored,
        )  # fmt: skip

    def _judge(self, check: Checker, removed: Sequence[str]) -> Check:
        """Ask the check about the generation that is about to be, which nobody else sees."""
        ending = {*self._changed, *removed}
        coming = self._writer.generation
        ids = self._library.coming_ids(coming, ending)
        vectors = VectorIndex.of(self._library, self._embedder.dimensions, coming, ids, self._library.quantiser(coming))
        generation = Generation(coming, "", 0, len(ids), {}, active=False)
        return check(GenerationStore(self._library, generation, self._embedder, vectors, self._words.searcher()))


def load(loader: SafeLoader, path: str, data: bytes, sidecar: bytes | None, encoding: str | None) -> Loaded:
    """Return what a loader makes of a file.

    :raises DocumentError: if that is nothing.
    """
    try:
        return loader.load(data, path, encoding=encoding, sidecar=sidecar)
    except DocumentError:
        raise
    except Exception as error:  # a parser that trips over one file must not stop the other thousand
        raise UnreadableDocument(path, f"its loader failed with {type(error).__name__}") from error


def title_of(document: LoadedDocument, path: str) -> str:
    """Return the title of a document in the file `path`: its own, or one made of the name."""
    said = document.metadata.title
    return title_from(path, document.member) if said is None else said


def cuts_of(text: str, language: str | None, embedder: Embedder, policy: PassagePolicy) -> list[Cut]:
    """Return the passages that a text is cut into."""
    sentences = split(text, language)
    counted = embedder.count_tokens([s.span.of(text) for s in sentences])
    tokens = [max(n, 1, len(s.span) // _TOKEN_CHARACTERS) for n, s in zip(counted, sentences, strict=True)]
    return cut(sentences, tokens, policy)
