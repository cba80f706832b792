"""Qdrant's REST interface on a free port, over the client's own engine in memory; it fails when it is told to."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter
from qdrant_client import QdrantClient
from qdrant_client import models as q

Fault = Literal["busy", "broken", "dropped", "half", "late"]
"""Refused with 429; with 500; no answer at all; half of a batch done, and then 500; done, and answered too late."""

_POINTS = TypeAdapter(list[q.PointStruct])


class EngineServer:
    """What it serves from, how it is to fail, and what was asked of it."""

    def __init__(self, key: str | None = None) -> None:
        self.client = QdrantClient(":memory:")
        self.key = key
        self.faults: deque[Fault | None] = deque()
        """How each of the next requests fails; None for one that does not."""
        self.always: Fault | None = None
        self.asked: list[str] = []
        self.points_sent = 0
        self.port = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def url(self, name: str = "news", options: str = "") -> str:
        """Return the address that a store is given."""
        return f"qdrant://127.0.0.1:{self.port}/{name}{options}"

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any, Fault | None]:
        """Return the status and the body of the response to a request, and how it is to fail."""
        with self._lock:
            fault = self.faults.popleft() if self.faults else self.always
            self.asked.append(f"{method} {path}")
            if fault == "busy":
                return 429, {"status": {"error": "too many requests"}}, fault
            if fault in ("broken", "dropped"):
                return 500, {"status": {"error": "told to fail"}}, fault
            if fault == "half" and method == "PUT" and path.endswith("/points"):
                self._done(method, path, {"points": body["points"][: len(body["points"]) // 2]})
            if fault == "half":
                return 500, {"status": {"error": "told to fail"}}, fault
            try:
                return 200, {"result": self._done(method, path, body), "status": "ok", "time": 0.0}, fault
            except ValueError as error:
                return (404 if "not found" in str(error) else 400), {"status": {"error": str(error)}}, fault

    def _done(self, method: str, path: str, body: Any) -> Any:
        client = self.client
        match method, path.strip("/").split("/"):
            case "GET", ["aliases"]:
                return client.get_aliases().model_dump(mode="json")
            case "GET", ["collections"]:
                return client.get_collections().model_dump(mode="json")
            case "POST", ["collections", "aliases"]:
                return client.update_collection_aliases(q.ChangeAliasesOperation.model_validate(body).actions)
            case "GET", ["collections", name, "exists"]:
                return {"exists": client.collection_exists(name)}
            case "PUT", ["collections", name]:
                made = q.CreateCollection.model_validate(body)
                return client.create_collection(
                    name, vectors_config=made.vectors, sparse_vectors_config=made.sparse_vectors
                )
            case "DELETE", ["collections", name]:
                return client.delete_collection(name)
            case "PUT", ["collections", _, "index"]:
                return {"operation_id": 0, "status": "completed"}
        _, name, *rest = path.strip("/").split("/")
        return self._points(method, name, "/".join(rest), body)

    def _points(self, method: str, name: str, what: str, body: Any) -> Any:
        client = self.client
        match method, what:
            case "PUT", "points":
                points = _POINTS.validate_python(body["points"])
                self.points_sent += len(points)
                return client.upsert(name, points).model_dump(mode="json")
            case "POST", "points/batch":
                steps = q.UpdateOperations.model_validate(body).operations
                return [done.model_dump(mode="json") for done in client.batch_update_points(name, steps)]
            case "POST", "points/delete":
                selector: Any = (
                    q.PointIdsList.model_validate(body) if "points" in body else q.FilterSelector.model_validate(body)
                )
                return client.delete(name, selector).model_dump(mode="json")
            case "POST", "points":
                found = client.retrieve(
                    name, body["ids"], with_payload=body.get("with_payload", True),
                    with_vectors=body.get("with_vector", False),
                )  # fmt: skip
                return [one.model_dump(mode="json") for one in found]
            case "POST", "points/scroll":
                where = q.Filter.model_validate(body["filter"]) if body.get("filter") else None
                records, offset = client.scroll(
                    name, where, limit=body["limit"], offset=body.get("offset"),
                    with_payload=body.get("with_payload", True), with_vectors=body.get("with_vector", False),
                )  # fmt: skip
                return {"points": [one.model_dump(mode="json") for one in records], "next_page_offset": offset}
            case "POST", "points/count":
                return client.count(name, q.CountRequest.model_validate(body).filter).model_dump(mode="json")
            case "POST", "points/query":
                asked = q.QueryRequest.model_validate(body)
                return client.query_points(
                    name, query=asked.query, using=asked.using, query_filter=asked.filter, limit=body["limit"],
                    with_payload=False,
                ).model_dump(mode="json")  # fmt: skip
        raise ValueError(f"{method} {what} not found")


@contextmanager
def served(key: str | None = None, certificate: tuple[Path, Path] | None = None) -> Iterator[EngineServer]:
    """Yield an engine that is served on a free port; over TLS with a certificate and its key."""
    engine = EngineServer(key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            if engine.key is not None and self.headers.get("api-key") != engine.key:
                self._send(401, {"status": {"error": "no key"}})
                return
            status, told, fault = engine.answer(self.command, unquote(urlsplit(self.path).path), body)
            if fault == "late":
                engine.released.wait(60)
            if fault in ("dropped", "late"):
                self.close_connection = True
                return
            self._send(status, told)

        def _send(self, status: int, told: Any) -> None:
            data = json.dumps(told).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are the base class's

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        engine.port = server.server_address[1]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake is the thread's that answers, so that a client who goes away keeps nobody waiting.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            engine.released.set()
            server.shutdown()
            thread.join()
            engine.client.close()
