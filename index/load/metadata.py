"""What a source says of itself → `Metadata`: one line each, bounded, dates and addresses in one form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from index.load.normalise import normalise
from index.types import Metadata

_TITLE = 500
_NAME = 300
_URL = 2000
_TAG = 100
_TAGS = 50
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}")
_ADDRESS = re.compile(r"""https?://[^\s<>"'\\]+""", re.IGNORECASE)
_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ] ?([0-9:.,]+) ?(Z|z|UTC|GMT|[+-][0-9:]+)?")
_ZONES = {"z": "Z", "UTC": "Z", "GMT": "Z"}
_YEAR_FIRST = re.compile(r"([0-9]{4})(?:[-/.]|[年년] ?)([0-9]{1,2})(?:[-/.]|[月월] ?)([0-9]{1,2})[日일]?")
_DAY_MONTH = re.compile(r"(?:[A-Z][a-z]+,? )?([0-9]{1,2})(?:st|nd|rd|th)? (?:of )?([A-Za-z]+)\.?,? ([0-9]{4})")
_MONTH_DAY = re.compile(r"(?:[A-Z][a-z]+,? )?([A-Za-z]+)\.? ([0-9]{1,2})(?:st|nd|rd|th)?,? ([0-9]{4})")
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2,8}, ?)?[0-9]{1,2}[ -][A-Z][a-z]{2,8}[ -](?:[0-9]{4}|[0-9]{2}) "
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})? (?:[+-][0-9]{4}|[A-Z]{1,4})(?: \([^()]*\))?"
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORT = 3


def describe(
    *,
    title: str | None = None,
    author: str | None = None,
    publisher: str | None = None,
    published_at: str | None = None,
    language: str | None = None,
    url: str | None = None,
    tags: Iterable[str] = (),
) -> Metadata:
    """Return the metadata with every value normalised, on one line and bounded; what makes no sense is None.

    At most 500 characters for a title, 300 for a name, 50 tags of 100 each, in the order given and without repeats.
    """
    return Metadata(
        title=one_line(title, _TITLE),
        author=one_line(author, _NAME),
        publisher=one_line(publisher, _NAME),
        published_at=iso_date(published_at),
        language=language_tag(language),
        url=http_url(url),
        tags=tuple(dict.fromkeys(line for tag in tags if (line := one_line(tag, _TAG)) is not None))[:_TAGS],
    )


def one_line(text: str | None, limit: int) -> str | None:
    """Return `text` normalised, on one line, at most `limit` characters; None for nothing."""
    if text is None:
        return None
    line = " ".join(normalise(text).split())[:limit].strip()
    return line if line else None


def http_url(text: str | None) -> str | None:
    """Return `text` when it is a whole http(s) address without credentials, else None."""
    line = one_line(text, _URL + 1)
    if line is None or len(line) > _URL or _ADDRESS.fullmatch(line) is None:
        return None
    try:
        parts = urlsplit(line)
    except ValueError:
        return None
    return line if parts.hostname and parts.username is None else None


def language_tag(text: str | None) -> str | None:
    """Return a BCP 47 tag, the primary language in lower case; None for anything else, such as a language's name."""
    line = one_line(text, _NAME)
    if line is None:
        return None
    line = line.replace("_", "-")
    if _LANGUAGE.fullmatch(line) is None:
        return None
    primary, dash, rest = line.partition("-")
    return primary.lower() + dash + rest


def iso_date(text: str | None) -> str | None:
    """Return an ISO 8601 date or date-time; None where the day is missing, impossible, or open to two readings.

    Read are ISO 8601, the year first (2026/1/10, 2026年1月10日), English months (10 January 2026, Jan. 10, 2026), and
    the form of mail and feeds (Sat, 10 Jan 2026 08:00:00 GMT).
    "01/02/2026" is January in one country and February in another: None.
    """
    line = one_line(text, _NAME)
    if line is None:
        return None
    try:
        if moment := _DATE_TIME.fullmatch(line):
            day, clock, zone = moment.groups(default="")
            return datetime.fromisoformat(f"{day}T{clock}{_ZONES.get(zone, zone)}").isoformat()
        if _MAIL.fullmatch(line):
            return parsedate_to_datetime(line).isoformat()
        if found := _YEAR_FIRST.fullmatch(line):
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        if found := _DAY_MONTH.fullmatch(line):
            return _with_month(found[3], found[2], found[1])
        if found := _MONTH_DAY.fullmatch(line):
            return _with_month(found[3], found[1], found[2])
    except ValueError:
        pass  # 30 February, 25 o'clock
    return None


def _with_month(year: str, month: str, day: str) -> str | None:
    word = month.lower()
    if word == "sept":
        word = "sep"
    for number, name in enumerate(_MONTHS, start=1):
        if word in {name, name[:_SHORT]}:
            return date(int(year), number, int(day)).isoformat()
    return None
