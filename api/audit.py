"""What was done to a library and its keys, by whom: one line of JSON each, in a file that is only ever added to.

A line holds no text of a document or a user, and no secret: documents, generations, jobs and keys are named by ids.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from index.errors import CitespanError

FILE_NAME = "audit.jsonl"
COMMAND_LINE = "command line"
"""Who acts that may run commands on the machine."""
NO_KEY = "no key"
"""Who acts over the network where no key is needed."""
DONE = "done"

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_log = logging.getLogger(__name__)


class Audit:
    """The record of one library. Any number of processes add to it."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = folder / FILE_NAME
        self._now = now

    def note(self, by: str, act: str, what: str, outcome: str) -> None:
        """Add a line: who (the id of a key, or COMMAND_LINE), what was done, to what (its id), and how it ended.

        What cannot be written is told to the log: the act itself is done by then.
        """
        line = {
            "time": self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "by": by,
            "act": act,
            # Whatever was sent in the place of an id is no id.
            "what": what if _ID.fullmatch(what) else "",
            "outcome": outcome,
        }
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # In one piece, so that lines of several processes do not mix.
                os.write(file, f"{json.dumps(line)}\n".encode())
            finally:
                os.close(file)
        except OSError as error:
            _log.error("%s: %s by %s could not be noted (%s)", self._path, act, by, error)

    @contextmanager
    def noting(self, act: str, *what: str) -> Iterator[None]:
        """Note for each of `what` how a command ended."""
        outcome = "failed"
        try:
            yield
            outcome = DONE
        except CitespanError as error:
            outcome = error.code
            raise
        finally:
            if self._path.parent.is_dir():
                for one in what:
                    self.note(COMMAND_LINE, act, one, outcome)
