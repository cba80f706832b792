"""Qdrant's segments in this process (`qdrant-edge-py`), behind as much of its client as a store needs.

The engine's own index, filters and rankings, and no network, shards or replicas.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client import models as q
from qdrant_client.http.models import QueryResponse

_FIELD = {"integer": edge.PayloadSchemaType.Integer, "keyword": edge.PayloadSchemaType.Keyword}


class EdgeClient:
    """A client of collections that are shards in folders below `folder`."""

    def __init__(self, folder: Path, *, on_disk: bool = False) -> None:
        self._folder = folder
        self._on_disk = on_disk
        self._shards: dict[str, edge.EdgeShard] = {}
        self._aliases: dict[str, str] = {}
        self._lock = threading.Lock()

    def shard(self, collection: str) -> edge.EdgeShard:
        return self._shards[self._aliases.get(collection, collection)]

    def close(self) -> None:
        """Leave the shards open: another store may come."""

    # ---- collections ------------------------------------------------------------------------------------------------

    def get_aliases(self) -> q.CollectionsAliasesResponse:
        named = [q.AliasDescription(alias_name=name, collection_name=of) for name, of in self._aliases.items()]
        return q.CollectionsAliasesResponse(aliases=named)

    def get_collections(self) -> q.CollectionsResponse:
        return q.CollectionsResponse(collections=[q.CollectionDescription(name=name) for name in self._shards])

    def collection_exists(self, collection: str) -> bool:
        return collection in self._shards

    def create_collection(
        self, collection: str, vectors_config: Mapping[str, q.VectorParams], sparse_vectors_config: Mapping[str, Any],
        **_: object,
    ) -> bool:  # fmt: skip
        dense = {
            name: edge.EdgeVectorParams(one.size, edge.Distance.Dot, on_disk=self._on_disk)
            for name, one in vectors_config.items()
        }
        sparse = {name: edge.EdgeSparseVectorParams(on_disk=self._on_disk) for name in sparse_vectors_config}
        config = edge.EdgeConfig(vectors=dense, sparse_vectors=sparse)
        self._shards[collection] = edge.EdgeShard.create(str(self._folder / collection), config)
        return True

    def delete_collection(self, collection: str, **_: object) -> bool:
        self._shards.pop(collection).close()
        shutil.rmtree(self._folder / collection)
        self._aliases = {name: of for name, of in self._aliases.items() if of != collection}
        return True

    def create_payload_index(self, collection: str, name: str, kind: q.PayloadSchemaType, **_: object) -> None:
        self.shard(collection).update(edge.UpdateOperation.create_field_index(name, _FIELD[kind.value]))

    def update_collection_aliases(self, steps: Sequence[Any], **_: object) -> bool:
        for step in steps:
            if isinstance(step, q.CreateAliasOperation):
                self._aliases[step.create_alias.alias_name] = step.create_alias.collection_name
            else:
                del self._aliases[step.delete_alias.alias_name]
        return True

    # ---- points -----------------------------------------------------------------------------------------------------

    def upsert(self, collection: str, points: Sequence[q.PointStruct], **_: object) -> None:
        made = [edge.Point(_id(point.id), _vectors(point.vector), point.payload) for point in points]
        self._update(collection, [edge.UpdateOperation.upsert_points(made)])

    def batch_update_points(self, collection: str, steps: Sequence[q.SetPayloadOperation], **_: object) -> None:
        self._update(
            collection,
            [
                edge.UpdateOperation.set_payload(list(step.set_payload.points or ()), step.set_payload.payload)
                for step in steps
            ],
        )

    def delete(self, collection: str, which: q.PointIdsList | q.FilterSelector, **_: object) -> None:
        step = (
            edge.UpdateOperation.delete_points(list(which.points))
            if isinstance(which, q.PointIdsList)
            else edge.UpdateOperation.delete_points_by_filter(_filter(which.filter))
        )
        self._update(collection, [step])

    def _update(self, collection: str, steps: Iterable[edge.UpdateOperation]) -> None:
        with self._lock:
            for step in steps:
                self.shard(collection).update(step)

    def retrieve(
        self, collection: str, ids: Sequence[int], with_payload: Any = True, with_vectors: Any = False, **_: object
    ) -> list[q.Record]:
        return [_record(one) for one in self.shard(collection).retrieve(list(ids), with_payload, with_vectors)]

    def scroll(
        self, collection: str, where: q.Filter | None, *, limit: int, offset: Any = None, with_payload: Any = True,
        with_vectors: Any = False, **_: object,
    ) -> tuple[list[q.Record], Any]:  # fmt: skip
        wanted = edge.ScrollRequest(offset, limit, _filter(where), with_payload, with_vectors)
        found, after = self.shard(collection).scroll(wanted)
        return [_record(one) for one in found], after

    def count(self, collection: str, where: q.Filter, **_: object) -> q.CountResult:
        return q.CountResult(count=self.shard(collection).count(edge.CountRequest(True, _filter(where))))

    def query_points(
        self, collection: str, query: Any, using: str, query_filter: q.Filter, limit: int,
        search_params: q.SearchParams | None = None, **_: object,
    ) -> QueryResponse:  # fmt: skip
        how = None
        if search_params is not None:
            how = edge.SearchParams(hnsw_ef=search_params.hnsw_ef, exact=bool(search_params.exact))
        nearest = edge.Query.Nearest(_vector(query), using)
        asked = edge.QueryRequest(limit=limit, query=nearest, filter=_filter(query_filter), params=how)
        found = self.shard(collection).query(asked)
        points = [q.ScoredPoint(id=_id(one.id), version=0, score=one.score) for one in found]
        return QueryResponse(points=points)


def _id(number: Any) -> int:
    assert isinstance(number, int)
    return number


def _vector(vector: Any) -> Any:
    return edge.SparseVector(vector.indices, vector.values) if isinstance(vector, q.SparseVector) else vector


def _vectors(vectors: Any) -> Any:
    return {name: _vector(vector) for name, vector in vectors.items()}


def _record(one: edge.Record) -> q.Record:
    vectors = one.vector
    told: Any = None
    if isinstance(vectors, Mapping):
        told = {
            name: q.SparseVector(indices=list(vector.indices), values=list(vector.values))
            if isinstance(vector, edge.SparseVector)
            else vector
            for name, vector in vectors.items()
        }
    return q.Record(id=_id(one.id), payload=dict(one.payload) if one.payload is not None else None, vector=told)


def _filter(where: Any) -> Any:
    """Return the engine's own form of a filter."""
    if where is None:
        return None
    return edge.Filter(must=_conditions(where.must), must_not=_conditions(where.must_not))


def _conditions(conditions: Any) -> list[Any] | None:
    return None if conditions is None else [_condition(one) for one in conditions]


def _condition(one: Any) -> Any:
    if isinstance(one, q.NestedCondition):
        return edge.NestedCondition(one.nested.key, _filter(one.nested.filter))
    if one.range is not None:
        bounds = edge.RangeFloat(gte=one.range.gte, gt=one.range.gt, lte=one.range.lte, lt=one.range.lt)
        return edge.FieldCondition(one.key, range=bounds)
    if isinstance(one.match, q.MatchAny):
        return edge.FieldCondition(one.key, match=edge.MatchAny([str(value) for value in one.match.any]))
    return edge.FieldCondition(one.key, match=edge.MatchValue(one.match.value))
