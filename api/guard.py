"""What stands before every route: who calls, whether that one may, how often; and the record of what was changed."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Caller, Forbidden, Need, Role, needed
from api.audit import DONE, NO_KEY, Audit
from api.limits import RateLimit, address_of
from api.problems import problem
from api.visit import Reception

# Acts that are put on record, by method and first parts of the path.
_ACTS: Mapping[tuple[str, str], str] = {
    ("POST", "documents"): "document.upload",
    ("DELETE", "documents"): "document.delete",
    ("POST", "generations"): "generation.rollback",
}
_PURGES = "document.purge"
# How a purge may be declined in the query, as pydantic reads it.
_NO = frozenset({"0", "false", "off", "no", "n", "f"})
_KEY = "send a key as `Authorization: Bearer …`; `citespan keys create` makes one"
_WRONG = 'Bearer error="invalid_token"'


class Guard:
    """Lets a request through if its sender may make it, and tells the application in `state.caller` who that is.

    `state.caller` is None for what needs no key and came without a good one.
    """

    def __init__(
        self, app: ASGIApp, reception: Reception, audit: Audit, limit: RateLimit | None, *, always: bool
    ) -> None:
        """`always`: whether requests are also counted while no key is needed."""
        self._app = app
        self._reception = reception
        self._audit = audit
        self._limit = limit
        self._always = always

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        shown = Headers(scope=scope).get("authorization", "")
        caller = self._reception.caller(shown)
        need = needed(scope["method"], scope["path"])
        scope.setdefault("state", {})["caller"] = caller
        too_many = self._too_many(caller, scope)
        refusal = too_many or _refused(caller, need, scope["path"], shown)
        answer: ASGIApp = self._app if refusal is None else refusal
        act = _act(scope, need)
        # Who comes too often, or shows no key and is refused, did nothing, and might fill the record.
        if act is None or caller is None or too_many or (refusal is not None and not caller.key):
            await answer(scope, receive, send)
        else:
            await self._noted(act, caller, answer, scope, receive, send)

    def _too_many(self, caller: Caller | None, scope: Scope) -> Response | None:
        if self._limit is None or not (self._always or self._reception.closed):
            return None
        by_key = caller is not None and caller.key
        wait = self._limit.wait(f"key {by_key}" if by_key else f"from {address_of(scope['client'])}")
        if wait == 0:
            return None
        detail = f"too many requests; come back in {wait} seconds"
        return problem(429, "too-many-requests", detail, headers={"Retry-After": str(wait)})

    async def _noted(
        self, act: str, caller: Caller, answer: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer the request and note what came of it."""
        status, made = 500, ""

        async def send_and_see(message: Message) -> None:
            nonlocal status, made
            if message["type"] == "http.response.start":
                status = message["status"]
                made = _named(Headers(raw=message["headers"]).get("location", ""))
            await send(message)

        try:
            await answer(scope, receive, send_and_see)
        finally:
            outcome = DONE if status < 400 else f"refused {status}" if status < 500 else f"failed {status}"
            by = caller.key if caller.key else NO_KEY
            self._audit.note(by, act, made if made else _named(scope["path"]), outcome)


def _refused(caller: Caller | None, need: Need, path: str, shown: str) -> Response | None:
    """Return what is answered to whoever may not make a request, None if it may be made."""
    if need.role is None or (caller is not None and caller.role.covers(need.role)):
        return None
    if caller is None or not caller.key:
        wrong = "the key that was sent is not, or no longer, one of this server's" if shown else "this needs a key"
        return problem(
            401, "key-needed", f"{wrong}; {_KEY}", headers={"WWW-Authenticate": _WRONG if shown else "Bearer"}
        )
    if not need.known:
        return problem(404, "not-found", f"there is no {path} here; /openapi.json lists what is")
    return problem(403, Forbidden.code, str(Forbidden.without(need.role)))


def _act(scope: Scope, need: Need) -> str | None:
    """Return what a request does to the library that is put on record, None for whatever changes nothing."""
    if need.role is None or not need.role.covers(Role.CONTRIBUTOR):
        return None
    act = _ACTS.get((scope["method"], scope["path"].split("/")[2] if scope["path"].startswith("/v1/") else ""))
    is_purge = act == "document.delete" and Request(scope).query_params.get("purge", "false").lower() not in _NO
    return _PURGES if is_purge else act


def _named(path: str) -> str:
    """Return the id in a path such as /v1/documents/ID or /v1/generations/ID/rollback, "" where there is none."""
    parts = path.split("/")
    return parts[3] if len(parts) > 3 else ""
