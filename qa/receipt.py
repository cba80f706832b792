"""A reply → a token that says how to get the same reply again, and back.

A receipt is not signed and proves nothing by itself: anyone can write one. It says how to check. A replay puts the same
question to the same generation and compares the hash of what comes out, so a false receipt is told as one that does not
come out the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, NoReturn

from index.errors import ReceiptError
from index.load.normalise import without_controls
from index.types import Filter
from qa.types import Question

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = "a"
"""The first character of a token: another one for every other way to write what follows."""
LONGEST = 65_536
"""Characters of a token."""
# A filter may name a thousand documents. What would be larger gets no receipt, and what unpacks to more is none.
_LONGEST_UNPACKED = 262_144
_LONGEST_TEXT = 8_000
_LONGEST_NAME = 400
_MOST_NAMES = 1_000
_LARGEST = 2**62

_BASE64 = re.compile(r"[A-Za-z0-9_-]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HEX = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Names what decides a reply beside the library: two replies made with the same ones can be compared."""

    embedder: str
    reader: str
    configuration: str
    """Of the calibration and the policy (`configuration`)."""

    def __post_init__(self) -> None:
        for name in (self.embedder, self.reader):
            if name != public(name):
                raise ValueError(f"{name!r} is not fit for the public")

    def changed(self, now: Fingerprints) -> list[str]:
        """Return what is another one `now`, each with both fingerprints; empty if nothing is."""
        pairs = zip(fields(self), astuple(self), astuple(now), strict=True)
        return [f"the {field.name} was {then}, it is {here}" for field, then, here in pairs if then != here]


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that is needed to get a reply again, and to know that it is the same.

    `created_at` is when its generation was made: other libraries have generations of the same number. `made_by` says in
    words which code and machine made the reply. `digest` is the first half of the SHA-256 of the reply's canonical
    bytes, in hex.
    """

    generation: int
    created_at: str
    question: str
    standalone: str
    where: Filter
    max_citations: int
    risk: float | None
    models: Fingerprints
    made_by: str
    digest: str

    def to_question(self) -> Question:
        """Return the question as it was understood: no conversation is needed to ask it again."""
        return Question(
            self.question, where=self.where, max_citations=self.max_citations, standalone=self.standalone,
            risk=self.risk,
        )  # fmt: skip


def public(fingerprint: str) -> str:
    """Return a model's fingerprint as it may be told to strangers: without the folders of the machine it lies on."""
    name, colon, weights = without_controls(fingerprint[-_LONGEST_NAME:]).rpartition(":")
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute():
            name = path.name
    return without_controls(f"{name}{colon}{weights}")


def configuration(*parts: DataclassInstance) -> str:
    """Return a name for the values of frozen dataclasses: the first 16 hex digits of a SHA-256 over all of them."""
    data = json.dumps([[type(part).__name__, asdict(part)] for part in parts], sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()[:16]


# ---- receipt → token -------------------------------------------------------------------------------------------------


def pack(receipt: Receipt) -> str | None:
    """Return the token of a receipt, None if its question and filter are too large for one.

    `FORMAT`, then base64url without padding of zlib of JSON; what has its default is left out.
    """
    values: dict[str, object] = {
        "generation": receipt.generation,
        "created_at": receipt.created_at,
        "question": receipt.question,
        "standalone": None if receipt.standalone == receipt.question else receipt.standalone,
        "filter": _packed_filter(receipt.where),
        "max_citations": receipt.max_citations,
        "risk": receipt.risk,
        **asdict(receipt.models),
        "made_by": receipt.made_by,
        "digest": receipt.digest,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    data = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
    token = FORMAT + base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")
    fits = len(data) <= _LONGEST_UNPACKED and len(token) <= LONGEST
    return token if fits and max(len(receipt.question), len(receipt.standalone)) <= _LONGEST_TEXT else None


def _packed_filter(where: Filter) -> dict[str, object] | None:
    packed = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in asdict(where).items()
        if value is not None
    }
    return packed if packed else None


# ---- token → receipt -------------------------------------------------------------------------------------------------


def unpack(token: str) -> Receipt:
    """Return the receipt that `token` holds; spaces and line breaks in it do not count.

    :raises ReceiptError: if it is none, saying why. Nothing of what was sent is in the message.
    """
    token = "".join(token[: 2 * LONGEST].split())
    if len(token) > LONGEST:
        raise ReceiptError(f"the receipt is too long: one has at most {LONGEST:,} characters")
    if not token.startswith(FORMAT):
        raise ReceiptError(
            f"this is no receipt that this version reads: one begins with {FORMAT!r}; "
            "replay it with the version that made it, or copy it again"
        )
    raw = _parsed(_unpacked(token[len(FORMAT) :]))
    known = {field.name for cls in (Receipt, Fingerprints) for field in fields(cls)}
    if not raw.keys() <= known - {"where", "models"} | {"filter"}:
        _refuse("it has fields that this version does not know")
    question = _text(raw, "question")
    return Receipt(
        generation=_count(raw, "generation"),
        created_at=_name(raw, "created_at"),
        question=question,
        standalone=_text(raw, "standalone") if "standalone" in raw else question,
        where=_filter(raw["filter"]) if "filter" in raw else Filter(),
        max_citations=_count(raw, "max_citations"),
        risk=_risk(raw["risk"]) if "risk" in raw else None,
        models=Fingerprints(_model(raw, "embedder"), _model(raw, "reader"), _hex(raw, "configuration")),
        made_by=_name(raw, "made_by"),
        digest=_hex(raw, "digest"),
    )


def _refuse(reason: str, cause: Exception | None = None) -> NoReturn:
    raise ReceiptError(f"the receipt cannot be read: {reason}; copy it again, whole and unchanged") from cause


def _unpacked(text: str) -> bytes:
    """Return the bytes that base64url of zlib stands for, at most _LONGEST_UNPACKED of them."""
    if not _BASE64.fullmatch(text):
        _refuse("it has characters that no receipt has")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        reader = zlib.decompressobj()
        data = reader.decompress(packed, _LONGEST_UNPACKED + 1)
    except (binascii.Error, zlib.error) as error:
        _refuse("it was cut or changed", error)
    if len(data) > _LONGEST_UNPACKED:
        _refuse(f"it unpacks to more than {_LONGEST_UNPACKED:,} bytes")
    if not reader.eof or reader.unused_data:
        _refuse("it was cut or something was added to it")
    return data


def _parsed(data: bytes) -> Mapping[str, object]:
    try:
        raw = json.loads(data.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        _refuse("it does not hold JSON", error)
    if not isinstance(raw, dict):
        _refuse("it does not hold an object")
    return raw


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(raw: Mapping[str, object], name: str) -> str:
    """Return a question: text as a request is normalised to, so that nothing gets in that a request could not bring."""
    value = raw.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or without_controls(value) != value:
        _refuse(f"its {name} is missing, or no text of at most {_LONGEST_TEXT:,} characters")
    return value


def _name(raw: Mapping[str, object], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or without_controls(value) != value:
        _refuse(f"its {name} is missing, or no text of at most {_LONGEST_NAME} characters")
    return value


def _model(raw: Mapping[str, object], name: str) -> str:
    value = _name(raw, name)
    if public(value) != value:
        _refuse(f"its {name} is a path")
    return value


def _hex(raw: Mapping[str, object], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        _refuse(f"its {name} is missing, or not 16 to 64 hex digits")
    return value


def _count(raw: Mapping[str, object], name: str) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        _refuse(f"its {name} is missing, or no number that can be")
    return value


def _risk(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        _refuse("its risk is no number from 0 to 1")
    return float(value)


def _filter(raw: object) -> Filter:
    if not isinstance(raw, dict) or not raw.keys() <= {field.name for field in fields(Filter)}:
        _refuse("its filter is none that this version knows")
    for name in raw.keys() & {"published_from", "published_to"}:
        if not isinstance(raw[name], str) or not _DAY.fullmatch(raw[name]):
            _refuse(f"its filter's {name} is no ISO date")
    return Filter(
        published_from=raw.get("published_from"),
        published_to=raw.get("published_to"),
        document_ids=_names(raw["document_ids"], "document_ids") if "document_ids" in raw else None,
        tags=_names(raw["tags"], "tags") if "tags" in raw else None,
        language=next(iter(_names([raw["language"]], "language"))) if "language" in raw else None,
    )


def _names(values: object, name: str) -> frozenset[str]:
    if not isinstance(values, list) or len(values) > _MOST_NAMES or not all(map(_is_name, values)):
        _refuse(f"its filter's {name} are not at most {_MOST_NAMES:,} texts of at most {_LONGEST_NAME} characters")
    return frozenset(values)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and not any("\ud800" <= c <= "\udfff" for c in value)
