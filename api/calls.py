"""One call of the client: sent, sent again where that does no harm, and what went wrong as one kind of error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from index.errors import CitespanError

_PROBLEM = "urn:citespan:problem:"
_LATER = frozenset({429, 503})
# The first request with the key still arrives: its connection broke, and nobody told the server yet.
_IN_USE = f"{_PROBLEM}idempotency-key-in-use"
# The server was started again, or a minute is over.
_FORGOTTEN = f"{_PROBLEM}unknown-stream"
_LAST = frozenset({"done", "error"})
# Before these anything was sent.
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class CallFailed(CitespanError):
    """The server refused, or could not be reached.

    `type`, `title`, `detail` and `status` are those of its problem (docs/api.md), `errors` the fields that are wrong,
    each with `field` and `message`. `status` is None if no answer came. `code` is the end of `type`.
    """

    def __init__(
        self, type: str, title: str, detail: str, status: int | None, errors: tuple[Mapping[str, str], ...] = ()  # noqa: A002
    ) -> None:  # fmt: skip
        self.type = type
        self.code = type.rpartition(":")[2]
        self.title = title
        self.detail = detail
        self.status = status
        self.errors = errors
        super().__init__(f"{title}: {detail}" if status is None else f"{status} {title}: {detail}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is sent in all, and how long is waited between: twice as long each time, or as the server says,
    up to `longest` seconds.
    """

    tries: int = 4
    pause: float = 0.5
    longest: float = 30.0

    def __post_init__(self) -> None:
        if self.tries < 1 or self.pause < 0 or self.longest < 0:
            raise ValueError(f"a call is sent at least once, and waits at least 0 seconds: {self}")

    def after(self, tried: int, asked: str | None) -> float:
        """Return the seconds to wait after try number `tried`; `asked` is the server's Retry-After."""
        if asked is not None and asked.isdecimal() and asked.isascii():
            # Compared as text first: no number is made of a thousand digits.
            return self.longest if len(asked) > 6 else min(float(asked), self.longest)
        return min(self.pause * 2.0 ** (tried - 1), self.longest)


class Caller:
    """Sends calls to one server. Safe to use from many threads."""

    def __init__(
        self, base_url: str, api_key: str | None, timeout: float, patience: Patience,
        transport: httpx2.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """:raises CallFailed: if the address or the key cannot be one."""
        headers = {"Accept": "application/json"}
        if api_key is not None:
            if not (api_key.isascii() and api_key.isprintable()) or api_key != api_key.strip():
                raise _unsent("bad-key", "the key has a character that no header can carry, such as a line break")
            headers["Authorization"] = f"Bearer {api_key}"
        try:
            address = httpx2.URL(base_url)
        except httpx2.InvalidURL as error:
            raise _unsent("bad-address", f"{base_url!r} is no address; give one as http://127.0.0.1:8000") from error
        if address.scheme not in ("http", "https") or not address.host:
            raise _unsent("bad-address", f"{base_url!r} is no address; give one as http://127.0.0.1:8000")
        self._http = httpx2.Client(base_url=address, headers=headers, timeout=timeout, transport=transport)
        self._patience = patience
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, method: str, path: str, *, again: bool, query: Mapping[str, str | int] | None = None, body: object = None,
        files: Callable[[], Any] | None = None, fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:  # fmt: skip
        """Return the answer to a call. `files` opens what is sent, anew for each try.

        `again`: sent twice it does what it does once, so it is also sent again when its answer was lost.

        :raises CallFailed: if it is refused, or there is no answer in all tries.
        """
        tried = 0
        while True:
            tried += 1
            try:
                response = self._http.request(
                    method, path, params=None if query is None else dict(query), json=body,
                    files=None if files is None else files(), data=fields, headers=headers,
                )  # fmt: skip
            except httpx2.HTTPError as error:
                self._wait_out(self._lost(error), tried, None, may=again or isinstance(error, _UNSENT))
                continue
            if response.is_success:
                return response
            self._wait_out(_refused(response), tried, response)

    def events(self, path: str, body: object, *, again: bool) -> Iterator[httpx2.ServerSentEvent]:
        """Yield the events that answer a POST, up to the one called `done` or `error`.

        A connection that is lost is taken up again after the last event; one lost before any event is a call whose
        answer was lost, for which `again` says what `send` says.

        :raises CallFailed: as `send` does.
        """
        last = ""
        tried = 0
        while True:
            tried += 1
            headers = {"Last-Event-ID": last} if last else None
            try:
                with self._http.sse(path, method="POST", json=body, headers=headers) as source:
                    if not source.response.is_success:
                        source.response.read()
                        failure = _refused(source.response)
                        forgotten = failure.type == _FORGOTTEN and again
                        self._wait_out(failure, tried, source.response, may=forgotten)
                        last = "" if forgotten else last
                        continue
                    for event in source:
                        last = event.id
                        yield event
                        if event.event in _LAST:
                            return
                raise httpx2.RemoteProtocolError("the stream ended before its last event")
            except httpx2.HTTPError as error:
                self._wait_out(self._lost(error), tried, None, may=bool(last) or again or isinstance(error, _UNSENT))

    def _lost(self, error: httpx2.HTTPError) -> CallFailed:
        where = f"{self._http.base_url.scheme}://{self._http.base_url.netloc.decode('ascii', 'replace')}"
        return _unsent("no-answer", f"no answer from {where} ({type(error).__name__}: {error}); is the server running?")

    def _wait_out(
        self, failure: CallFailed, tried: int, response: httpx2.Response | None, *, may: bool = False
    ) -> None:
        """Wait until the call may be sent again; raise `failure` if it may not, or was sent often enough."""
        if response is not None:
            may = may or response.status_code in _LATER or failure.type == _IN_USE
        if not may or tried >= self._patience.tries:
            raise failure
        self._sleep(self._patience.after(tried, None if response is None else response.headers.get("retry-after")))


def failure_of(problem: object, status: int | None) -> CallFailed:
    """Return the error for a problem (or an error of OpenAI's form) that came with a status."""
    found = problem if isinstance(problem, dict) else {}
    inner = found.get("error")
    if isinstance(inner, dict):
        code = inner.get("type") if inner.get("code") is None else inner["code"]
        found = {"type": f"{_PROBLEM}{code}", "detail": inner.get("message")}
    given = found.get("status")
    status = given if status is None and isinstance(given, int) else status
    phrase = "No answer" if status is None else _phrase(status)
    wrong = found.get("errors")
    return CallFailed(
        str(found.get("type", f"{_PROBLEM}{phrase.lower().replace(' ', '-')}")),
        str(found.get("title", phrase)),
        str(found.get("detail", "what answered says no more; is it Citespan that listens there?")),
        status,
        tuple(one for one in wrong if isinstance(one, dict)) if isinstance(wrong, list) else (),
    )


def _refused(response: httpx2.Response) -> CallFailed:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return failure_of(problem, response.status_code)


def _unsent(code: str, detail: str) -> CallFailed:
    return CallFailed(f"{_PROBLEM}{code}", "No answer", detail, None)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
