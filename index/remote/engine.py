"""Speaking with Qdrant. The only file that knows its client.

Every call here may be repeated: it is retried while the engine is busy or out of reach, and counted by the circuit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.errors import StoreError
from index.remote.address import Address
from index.remote.circuit import Circuit
from index.remote.patience import Patience, asked
from index.remote.points import Point, Sparse, Times, day, in_batches, spoken
from index.types import Filter

if TYPE_CHECKING:
    from qdrant_client import QdrantClient
    from qdrant_client import models as qdrant

DENSE, WORDS = "dense", "words"
_NEEDED = ("qdrant_client", "tenacity")
# Seconds that a change may take.
_CHANGE_SECONDS = 60
# Points named in one request.
_NAMED = 1_000
# More documents than that are not named in a filter: what is left over is seen by its passages.
_DOCUMENTS = 2_000
# How wide a search goes through its graph, at least.
_WIDTH = 256
_Result = TypeVar("_Result")


class Engine:
    """A Qdrant server or cluster, for any number of threads.

    Every method raises StoreUnavailable if the engine does not answer, and StoreError if it refuses.
    """

    def __init__(
        self,
        client: QdrantClient,
        address: Address,
        *,
        circuit: Circuit | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._client = client
        self.address = address
        self.circuit = Circuit() if circuit is None else circuit
        self._patience = Patience() if patience is None else patience

    @classmethod
    def connect(cls, address: Address, key: str | None = None) -> Engine:
        """Return the engine at an address. Nothing is asked of it yet.

        :raises StoreError: if its client is not installed.
        """
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise StoreError(f"{address}: {', '.join(missing)} not installed; run `pip install 'citespan[qdrant]'`")
        from qdrant_client import QdrantClient

        with warnings.catch_warnings():
            # That a key is sent without TLS is for docs/scale.md to say, and not at every start.
            warnings.simplefilter("ignore", UserWarning)
            client = QdrantClient(
                url=address.url, port=address.port, api_key=key, timeout=address.timeout,
                prefer_grpc=address.grpc is not None, grpc_port=6334 if address.grpc is None else address.grpc,
                check_compatibility=False,
            )  # fmt: skip
        return cls(client, address)

    def close(self) -> None:
        self._client.close()

    # ---- collections and the names they go by -----------------------------------------------------------------------

    def aliases(self) -> dict[str, str]:
        """Return the collection that each name stands for."""
        found = self._search(lambda: self._client.get_aliases())
        return {one.alias_name: one.collection_name for one in found.aliases}

    def collections(self) -> list[str]:
        """Return the names of all collections, in order."""
        return sorted(one.name for one in self._search(lambda: self._client.get_collections()).collections)

    def make(self, collection: str, dimensions: int) -> None:
        """Make a collection with all that is looked up in it, as far as that is not there."""
        from qdrant_client import models as q

        to = self.address
        memory = q.Memory.COLD if to.on_disk else None
        bytewise = q.ScalarQuantization(scalar=q.ScalarQuantizationConfig(type=q.ScalarType.INT8, always_ram=True))
        # Of vectors of unit length the product is the cosine, and they are kept just as they are sent.
        dense = q.VectorParams(size=dimensions, distance=q.Distance.DOT, on_disk=True if to.on_disk else None)
        words = q.SparseVectorParams(index=q.SparseIndexParams(memory=memory))
        # What is acknowledged is in more than half of the replicas.
        most = None if to.replicas is None else to.replicas // 2 + 1

        there = partial(self._client.collection_exists, collection)
        create = partial(
            self._client.create_collection, collection, vectors_config={DENSE: dense},
            sparse_vectors_config={WORDS: words}, shard_number=to.shards, replication_factor=to.replicas,
            write_consistency_factor=most, quantization_config=bytewise if to.quantised else None,
            timeout=_CHANGE_SECONDS,
        )  # fmt: skip
        if not self._change(there):
            try:
                self._change(create)
            except StoreError:
                # A try whose answer came too late has made it.
                if not self._change(there):
                    raise
        kinds = {
            "added": q.PayloadSchemaType.INTEGER, "removed": q.PayloadSchemaType.INTEGER,
            "away": q.PayloadSchemaType.INTEGER, "published": q.PayloadSchemaType.INTEGER,
            "document": q.PayloadSchemaType.KEYWORD, "tags": q.PayloadSchemaType.KEYWORD,
            "language": q.PayloadSchemaType.KEYWORD,
        }  # fmt: skip
        for name, kind in kinds.items():
            self._change(partial(self._client.create_payload_index, collection, name, kind, wait=True))

    def drop(self, collection: str) -> None:
        """Delete a collection with the names that stand for it."""
        self._change(lambda: self._client.delete_collection(collection, timeout=_CHANGE_SECONDS))

    def rename(self, names: Mapping[str, str], without: Sequence[str]) -> None:
        """Have each of `names` stand for a collection, and those of `without`, all of which stand for one, for none.

        All at once.
        """
        from qdrant_client import models as q

        steps: list[Any] = [q.DeleteAliasOperation(delete_alias=q.DeleteAlias(alias_name=name)) for name in without]
        steps += [
            q.CreateAliasOperation(create_alias=q.CreateAlias(collection_name=collection, alias_name=name))
            for name, collection in names.items()
        ]
        self._change(lambda: self._client.update_collection_aliases(steps, timeout=_CHANGE_SECONDS))

    # ---- changing points --------------------------------------------------------------------------------------------

    def put(self, collection: str, points: Sequence[Point]) -> None:
        """Add points; those that are there are replaced."""
        from qdrant_client import models as q

        made = [
            q.PointStruct(
                id=point.id, payload=dict(point.payload),
                vector={
                    DENSE: point.vector.tolist(),
                    WORDS: q.SparseVector(indices=point.words.numbers, values=point.words.worth),
                },
            )
            for point in points
        ]  # fmt: skip
        self._change(lambda: self._client.upsert(collection, made, wait=True, timeout=_CHANGE_SECONDS))

    def set_times(self, collection: str, times: Mapping[Times, Sequence[int]]) -> None:
        """Have points, all of which are there, count when it is said."""
        from qdrant_client import models as q

        steps: list[Any] = [
            q.SetPayloadOperation(set_payload=q.SetPayload(payload=when.payload(), points=list(points)))
            for when, points in times.items()
        ]
        self._change(lambda: self._client.batch_update_points(collection, steps, wait=True, timeout=_CHANGE_SECONDS))

    def delete(self, collection: str, points: Sequence[int]) -> None:
        """Delete points, of which some may not be there."""
        from qdrant_client import models as q

        for batch in in_batches(points, _NAMED):
            named = q.PointIdsList(points=list(batch))
            self._change(partial(self._client.delete, collection, named, wait=True, timeout=_CHANGE_SECONDS))

    def delete_ended(self, collection: str, floor: int) -> None:
        """Delete the points that count in no generation from `floor` on."""
        from qdrant_client import models as q

        over = q.FieldCondition(key="removed", range=q.Range(lte=floor))
        ended = q.FilterSelector(filter=q.Filter(must=[over]))
        self._change(lambda: self._client.delete(collection, ended, wait=True, timeout=_CHANGE_SECONDS))

    # ---- looking at points ------------------------------------------------------------------------------------------

    def times(self, collection: str, points: Sequence[int]) -> dict[int, Times]:
        """Return when those of the points that are there count."""
        found = self._change(
            lambda: self._client.retrieve(
                collection, list(points), with_payload=["added", "removed", "away"], timeout=_CHANGE_SECONDS
            )
        )
        return {_number(one.id): Times.read(_payload(one)) for one in found}

    def vectors(self, collection: str, points: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Return the vectors of those of the points that are there."""
        found = self._search(
            lambda: self._client.retrieve(collection, list(points), with_payload=False, with_vectors=[DENSE])
        )
        return {_number(one.id): np.asarray(_vectors(one)[DENSE], dtype=np.float32) for one in found}

    def of_documents(self, collection: str, documents: Sequence[str]) -> Iterator[tuple[int, Times, list[int]]]:
        """Yield every point of some documents: its id, when it counts, and the numbers of its terms."""
        from qdrant_client import models as q

        for batch in in_batches(documents, _NAMED):
            named = q.FieldCondition(key="document", match=q.MatchAny(any=list(batch)))
            for one in self._scrolled(collection, q.Filter(must=[named]), ["added", "removed", "away"], [WORDS]):
                yield _number(one.id), Times.read(_payload(one)), list(_vectors(one)[WORDS].indices)

    def ids(self, collection: str) -> Iterator[int]:
        """Yield the ids of all points."""
        for one in self._scrolled(collection, None, False, False):
            yield _number(one.id)

    def _scrolled(self, collection: str, where: Any, payload: Any, vectors: Any) -> Iterator[qdrant.Record]:
        offset: Any = None
        while True:
            page = partial(self._client.scroll, collection, where, limit=_NAMED, offset=offset, timeout=_CHANGE_SECONDS)
            found, offset = self._change(partial(page, with_payload=payload, with_vectors=vectors))
            yield from found
            if offset is None:
                return

    def count(self, collection: str, generation: int) -> int:
        """Return how many points count in a generation."""
        where = live(generation, Filter())
        return int(
            self._change(lambda: self._client.count(collection, where, exact=True, timeout=_CHANGE_SECONDS)).count
        )

    # ---- searching --------------------------------------------------------------------------------------------------

    def near(
        self, collection: str, query: NDArray[np.float32], limit: int, generation: int, where: Filter
    ) -> list[tuple[int, float]]:
        """Return up to `limit` points of a generation nearest to a vector, best first, with about their cosine."""
        from qdrant_client import models as q

        finer = q.QuantizationSearchParams(rescore=True, oversampling=2.0) if self.address.quantised else None
        how = q.SearchParams(hnsw_ef=max(_WIDTH, limit), exact=self.address.exact, quantization=finer)
        return self._found(collection, query.tolist(), DENSE, limit, live(generation, where), how)

    def sharing(
        self, collection: str, query: Sparse, limit: int, generation: int, where: Filter
    ) -> list[tuple[int, float]]:
        """Return up to `limit` points of a generation that share a term with a query, best first, with about their
        score.
        """
        from qdrant_client import models as q

        words = q.SparseVector(indices=query.numbers, values=query.worth)
        return self._found(collection, words, WORDS, limit, live(generation, where), None)

    def _found(
        self, collection: str, query: Any, using: str, limit: int, where: qdrant.Filter, how: qdrant.SearchParams | None
    ) -> list[tuple[int, float]]:
        found = self._search(
            lambda: self._client.query_points(
                collection,
                query=query,
                using=using,
                query_filter=where,
                limit=limit,
                search_params=how,
                with_payload=False,
                timeout=self.address.timeout,
            )
        )
        return [(_number(one.id), float(one.score)) for one in found.points]

    # ---- patience ---------------------------------------------------------------------------------------------------

    def _search(self, call: Callable[[], _Result]) -> _Result:
        return asked(call, self.address, self.circuit, self._patience.searches, self._patience)

    def _change(self, call: Callable[[], _Result]) -> _Result:
        return asked(call, self.address, self.circuit, self._patience.changes, self._patience)


def live(generation: int, where: Filter) -> qdrant.Filter:
    """Return the condition that a point counts in a generation and that `where` admits its document.

    Of more documents than a request may name it lets others pass too.
    """
    from qdrant_client import models as q

    must: list[Any] = [
        q.FieldCondition(key="added", range=q.Range(lte=generation)),
        q.FieldCondition(key="removed", range=q.Range(gt=generation)),
    ]
    if where.published_from is not None:
        must.append(q.FieldCondition(key="published", range=q.Range(gte=day(where.published_from))))
    if where.published_to is not None:
        must.append(q.FieldCondition(key="published", range=q.Range(lte=day(where.published_to))))
    for tags in (where.tags, where.within):
        if tags is not None:
            must.append(q.FieldCondition(key="tags", match=q.MatchAny(any=sorted(tags))))
    if where.document_ids is not None and len(where.document_ids) <= _DOCUMENTS:
        must.append(q.FieldCondition(key="document", match=q.MatchAny(any=sorted(where.document_ids))))
    if where.language is not None:
        must.append(q.FieldCondition(key="language", match=q.MatchValue(value=spoken(where.language))))
    away = q.FieldCondition(key="away", match=q.MatchValue(value=generation))
    return q.Filter(must=must, must_not=[away])


def _number(point: object) -> int:
    assert isinstance(point, int)
    return point


def _payload(record: qdrant.Record) -> Mapping[str, object]:
    assert record.payload is not None
    return record.payload


def _vectors(record: qdrant.Record) -> Mapping[str, Any]:
    assert isinstance(record.vector, Mapping)
    return record.vector
