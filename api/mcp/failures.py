"""What a client is told of an error: as over HTTP what it got wrong, and nothing of what went wrong in here."""

from __future__ import annotations

from pydantic import ValidationError

from api.console import printable
from api.mcp.places import Refused
from api.problems import problem_of
from api.schemas import Problem

# How many wrong arguments are named, and how much of a name that the sender made up.
_ARGUMENTS = 5
_NAME = 100


def told(error: Exception, what: str) -> str:
    """Return what is said of the error that `what` ended in. What is not the client's doing goes to the log."""
    if isinstance(error, ValidationError):
        # What was sent is not sent back: it may be long.
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[:_ARGUMENTS]
        named = ", ".join(f"{_named(one['loc'])}: {one['msg']}" for one in wrong)
        return f"the arguments are not valid ({named})"
    if isinstance(error, Refused):
        return printable(str(error))
    return printable(Problem.model_validate_json(bytes(problem_of(error, what).body)).detail)


def _named(location: tuple[int | str, ...]) -> str:
    return printable(".".join(str(part) for part in location)[:_NAME])
