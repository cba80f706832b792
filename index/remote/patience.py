"""Asking an engine with patience: again while it is busy, not at all while it is down, and its errors as our own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from index.errors import StoreError, StoreUnavailable
from index.remote.circuit import Circuit

# Tries of a search and of a change, and between two tries from how many seconds on to wait, up to how many.
_SEARCH_TRIES = 2
_CHANGE_TRIES = 6
_WAIT_SECONDS = 0.1
_MOST_SECONDS = 10.0
# What is repeated with hope: the engine is busy, being moved, or starting.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_GRPC = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNKNOWN"})
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a search and a change are tried, and how to wait between two tries."""

    searches: int = _SEARCH_TRIES
    changes: int = _CHANGE_TRIES
    sleep: Callable[[float], None] = time.sleep


def asked(call: Callable[[], _Result], of: object, circuit: Circuit, tries: int, patience: Patience) -> _Result:
    """Return what a call does that may be repeated, tried so often; the circuit is asked first and told after.

    :param of: what the errors say was asked.
    :raises StoreUnavailable: if it does not answer, or did not lately.
    :raises StoreError: if it refuses.
    """
    import tenacity

    if (seconds := circuit.enter()) is not None:
        raise StoreUnavailable(f"{of} did not answer lately and is not asked now", seconds)
    waits = tenacity.wait_random_exponential(multiplier=_WAIT_SECONDS, max=_MOST_SECONDS)
    again = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(tries), reraise=True, retry=tenacity.retry_if_exception(_is_passing),
        wait=lambda state: max(waits(state), _asked_to_wait(state)), sleep=patience.sleep,
    )  # fmt: skip
    was_closed = circuit.is_closed
    try:
        result = again(call)
    except Exception as error:
        if _is_passing(error):
            seconds = circuit.failed()
            if was_closed and not circuit.is_closed:
                _log.warning("%s does not answer (%s) and is left alone for a while", of, _said(error))
            raise StoreUnavailable(f"{of} does not answer ({_said(error)})", seconds) from error
        circuit.succeeded()  # it is there, and refuses
        if _status(error) is None and not isinstance(error, ValueError):
            raise
        raise StoreError(f"{of} refuses ({_said(error)}){_way_out(error)}") from error
    except BaseException:
        circuit.failed()
        raise
    circuit.succeeded()
    if not was_closed:
        _log.warning("%s answers again", of)
    return result


def _status(error: BaseException) -> int | str | None:
    """Return the HTTP status or the gRPC code that a call ended in, None for anything else."""
    status: int | None = getattr(error, "status_code", None)
    if status is not None:
        return status
    if hasattr(error, "retry_after_s"):
        return 429
    code = getattr(error, "code", None)
    return str(code().name) if callable(code) else None


def _is_passing(error: BaseException) -> bool:
    """Return whether a call that ended so may come out better another time."""
    status = _status(error)
    # The client says in `source` what kept it from an answer: no connection, a timeout, no JSON.
    unheard = isinstance(getattr(error, "source", None), Exception)
    return unheard or status in _PASSING or status in _PASSING_GRPC


def _asked_to_wait(state: Any) -> float:
    """Return how long the engine said to wait, as far as that is bearable."""
    error = state.outcome.exception() if state.outcome is not None else None
    return min(_MOST_SECONDS, float(getattr(error, "retry_after_s", 0)))


def _said(error: BaseException) -> str:
    """Return how a call ended; what the engine said of it may repeat what was sent."""
    status = _status(error)
    source = getattr(error, "source", error)
    return f"{status}" if status is not None else type(source).__name__


def _way_out(error: BaseException) -> str:
    if _status(error) in (401, 403, "UNAUTHENTICATED", "PERMISSION_DENIED"):
        return "; set store_key, or CITESPAN_STORE_KEY, to its key"
    return ""
