"""The log: lines for people or JSON for machines, each with the id of the request it belongs to, and no user's text.

No question, title, query string, path or host of a request is logged, only the template of its route. The message of an
exception that nobody expected may hold any of them, and is left out of its traceback unless the level is debug.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO

Format = Literal["console", "json"]
Level = Literal["debug", "info", "warning", "error"]
_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

# Of what an exception came from so much is told.
_CAUSES = 5
# What these say of each call is of no use to whoever runs a server, and an address of a webhook is a secret.
_TALKATIVE = ("httpx2", "httpcore2", "mcp", "faiss")
_FIELDS = ("request_id", "method", "route", "status", "ms", "key")
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered, None outside of one."""


class _Silent(logging.Formatter):
    """Writes exceptions without what they say: where, and of which kind. At debug level with it."""

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        """Return the time as it is written: in UTC."""
        return time.gmtime(seconds)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the name is the base's
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            return super().formatException(ei)
        told: list[str] = []
        error = ei[1]
        while error is not None and len(told) < _CAUSES:
            frames = "".join(traceback.format_tb(error.__traceback__))
            told.insert(0, f"Traceback (most recent call last):\n{frames}{_name(error)} (what it says is for debug)")
            error = error.__cause__ if error.__suppress_context__ else error.__context__
        return "\nwhich led to\n".join(told)


class ConsoleFormatter(_Silent):
    """Lines for people: time, level, message, and the request's id if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        known = _known(record)
        # Of a request the message says the rest already.
        return line if "request_id" not in known else f"{line} [{known['request_id']}]"


class JsonFormatter(_Silent):
    """One JSON object a line: `time`, `level`, `logger`, `message`, what is known of the request, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_known(record),
        }
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(form: Format, level: Level, stream: TextIO | None = None) -> None:
    """Make all logging of this process go to `stream` (standard error) in one form, from `level` on."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else logging.WARNING)


def _known(record: logging.LogRecord) -> dict[str, object]:
    """Return what a record, or the request that it was made in, says of the request."""
    known = {name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None}
    if "request_id" not in known and (here := request_id.get()) is not None:
        known["request_id"] = here
    return known


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
