"""Receipts: what is written can be read again, and what was not written by us is told apart."""

import base64
import json
import zlib
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ReceiptError
from index.load.normalise import normalise
from index.types import Filter
from qa.calibrate import Calibration
from qa.receipt import LONGEST, Fingerprints, Receipt, configuration, pack, public, unpack
from qa.service import Policy
from tests.world import by_score, kept

MODELS = Fingerprints("all-MiniLM-L6-v2:53aa51172d142c89", "reader-v1:9a7ce1e398f63a65", "0123456789abcdef")
RECEIPT = Receipt(
    generation=7,
    created_at="2026-01-10T12:30:15.250Z",
    question="And the existing ones?",
    standalone="And the existing ones? (export ban contracts)",
    where=Filter(published_from="2026-01-01", document_ids=frozenset({"doc_b", "doc_a"}), tags=frozenset({"öar"})),
    max_citations=3,
    risk=0.2,
    models=MODELS,
    made_by="citespan 0.1.0 (0123456789ab) on x86_64, torch 2.13.0",
    digest="0123456789abcdef0123456789abcdef",
)


def token_of(content: object) -> str:
    """Return a token that holds any JSON, or any bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return "a" + base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


def held(receipt: Receipt = RECEIPT) -> dict[str, Any]:
    """Return what the token of a receipt holds."""
    token = pack(receipt)
    assert token is not None
    content: dict[str, Any] = json.loads(zlib.decompress(base64.urlsafe_b64decode(token[1:] + "===")))
    return content


# ---- there and back --------------------------------------------------------------------------------------------------

_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_days = st.none() | st.dates().map(lambda day: day.isoformat())
_questions = st.text(max_size=300).map(normalise)
_models = st.builds(
    Fingerprints, embedder=_names.map(public), reader=_names.map(public), configuration=st.just("0" * 16)
)
_filters = st.builds(
    Filter,
    published_from=_days,
    published_to=_days,
    document_ids=st.none() | st.frozensets(_names, max_size=5),
    tags=st.none() | st.frozensets(_names, max_size=5),
    language=st.none() | _names,
)
_receipts = st.builds(
    Receipt,
    generation=st.integers(0, 2**62 - 1),
    created_at=st.just("2026-01-10T12:30:15.250Z"),
    question=_questions,
    standalone=_questions,
    where=_filters,
    max_citations=st.integers(1, 10),
    risk=st.none() | st.floats(0, 1),
    models=_models,
    made_by=st.just("citespan 0.1.0"),
    digest=st.just("0" * 32),
)


@given(_receipts)
def test_what_is_packed_is_unpacked(receipt: Receipt) -> None:
    token = pack(receipt)
    assert token is not None
    assert unpack(token) == receipt


@given(_receipts)
def test_the_same_receipt_is_the_same_token(receipt: Receipt) -> None:
    again = replace(receipt, where=replace(receipt.where, tags=_reversed(receipt.where.tags)))
    assert pack(receipt) == pack(again)


def _reversed(names: frozenset[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(sorted(names, reverse=True))


def test_a_token_is_short_and_can_stand_in_an_address() -> None:
    token = pack(RECEIPT)
    assert token is not None
    assert len(token) < 500
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_line_breaks_and_spaces_that_got_into_a_token_do_no_harm() -> None:
    token = pack(RECEIPT)
    assert token is not None
    assert unpack("  " + "\r\n".join(token[i : i + 40] for i in range(0, len(token), 40)) + "\n") == RECEIPT


def test_what_has_its_default_takes_no_room() -> None:
    plain = replace(RECEIPT, standalone=RECEIPT.question, where=Filter(), risk=None)
    assert held(plain).keys() == held().keys() - {"standalone", "filter", "risk"}
    assert unpack(token_of(held(plain))) == plain


def test_a_question_is_asked_again_without_its_conversation() -> None:
    question = RECEIPT.to_question()
    assert (question.text, question.standalone, question.conversation) == (RECEIPT.question, RECEIPT.standalone, ())
    assert (question.where, question.max_citations, question.risk) == (RECEIPT.where, 3, 0.2)


@pytest.mark.parametrize(
    "large",
    [
        replace(RECEIPT, standalone="why " * 2_001),
        replace(RECEIPT, where=Filter(tags=frozenset(f"{i:05}" + "x" * 300 for i in range(999)))),
    ],
)
def test_what_would_be_too_large_to_be_read_again_gets_no_token(large: Receipt) -> None:
    assert pack(large) is None


def test_a_filter_of_a_thousand_documents_still_fits() -> None:
    large = replace(RECEIPT, where=Filter(document_ids=frozenset(f"doc_{i * 7919:016x}" for i in range(1_000))))
    token = pack(large)
    assert token is not None
    assert unpack(token) == large


# ---- what is no receipt ----------------------------------------------------------------------------------------------

CUT = "cut"
CHARACTERS = "characters that no receipt has"
JSON = "does not hold JSON"
OTHER = "no receipt that this version reads"


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", OTHER),
        ("made-up", OTHER),
        ("b" + token_of(held())[1:], OTHER),
        ("a", CUT),
        ("a=", CHARACTERS),
        ("aé", CHARACTERS),
        ("a+/", CHARACTERS),
        ("aA", CUT),
        ("aAAAA", CUT),
        ("a" * (LONGEST + 1), "too long"),
        (token_of(held())[:-8], CUT),
        (token_of(held())[:40], CUT),
        (token_of(held()) + "AAAA", "added"),
        (token_of(b"\0" * 10_000_000), "unpacks to more than 262,144 bytes"),
        (token_of(b""), JSON),
        (token_of(b"\xff"), JSON),
        (token_of(b"{"), JSON),
        (token_of(b"[" * 200_000), JSON),
        (token_of(b'{"risk": NaN}'), JSON),
        (token_of(b'{"generation": ' + b"9" * 100_000 + b"}"), JSON),
        (token_of([]), "does not hold an object"),
        (token_of({}), "question is missing"),
        (token_of({**held(), "more": 1}), "fields that this version does not know"),
        (token_of({**held(), "where": {}}), "fields that this version does not know"),
    ],
)
def test_what_is_no_receipt_is_refused_with_the_reason(token: str, message: str) -> None:
    with pytest.raises(ReceiptError, match=message):
        unpack(token)


@pytest.mark.parametrize("name", sorted(held().keys() - {"standalone", "filter", "risk"}))
def test_every_field_is_needed(name: str) -> None:
    with pytest.raises(ReceiptError, match=f"its {name} is missing"):
        unpack(token_of({key: value for key, value in held().items() if key != name}))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("generation", [None, "7", 7.0, True, -1, 2**62, [7]]),
        ("max_citations", [None, "3", 3.5, False, -1, 10**400]),
        ("question", [None, 1, ["x"], "a\0b", "a\tb", "\ud800", "\ufeffx", "x" * 8_001]),
        ("standalone", [None, 1, "a\rb", "\udfff", "x" * 8_001]),
        ("created_at", [None, 0, "\x07", "x" * 401]),
        ("risk", [None, "0.2", True, -0.1, 1.1, 10**400, 1e300]),
        ("embedder", [None, 1, "/srv/models/mine:0123", "C:\\models\\mine:0123", "x" * 401, "a\nb\x1b"]),
        ("reader", [None, {}, "/srv/models/mine:0123"]),
        ("configuration", [None, 1, "", "xyz", "0" * 15, "0" * 65, "0" * 15 + "G"]),
        ("digest", [None, 1, "", "0" * 31 + "\n", "0" * 65]),
        ("made_by", [None, 1, "\x1b[31m", "x" * 401]),
        ("filter", [None, 1, [], "x", {"other": 1}, {"published_from": 1}, {"published_from": "2026"},
                    {"published_to": "2026-01-01T00:00"}, {"published_to": None}, {"tags": "x"}, {"tags": [1]},
                    {"tags": ["\ud800"]}, {"document_ids": ["x" * 401]}, {"document_ids": ["x"] * 1_001},
                    {"language": 1}, {"language": ["en"]}, {"document_ids": None}]),
    ],
)  # fmt: skip
def test_a_field_that_is_not_what_it_should_be_is_named(field: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(ReceiptError, match=f"its {field}") as caught:
            unpack(token_of({**held(), field: value}))
        assert len(str(caught.value)) < 300


@given(st.text() | st.text(alphabet="aAzZ09-_ \n").map(lambda rest: "a" + rest))
def test_no_text_does_worse_than_to_be_refused(text: str) -> None:
    _is_read_or_refused(text)


@given(st.binary(max_size=2_000))
def test_no_bytes_do_worse_than_to_be_refused(data: bytes) -> None:
    _is_read_or_refused(token_of(data))
    _is_read_or_refused("a" + base64.urlsafe_b64encode(data).decode().rstrip("="))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from([*held(), "other"]), _json)
def test_no_value_of_a_field_does_worse_than_to_be_refused(field: str, value: object) -> None:
    _is_read_or_refused(token_of({**held(), field: value}))


def _is_read_or_refused(token: str) -> None:
    try:
        receipt = unpack(token)
    except ReceiptError:
        return
    assert pack(receipt) is not None


# ---- what a reply depends on -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inner:
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Outer:
    helpings: tuple[int, ...] = (2, 1)
    inner: Inner = Inner()


def test_the_configuration_has_another_name_for_every_other_value() -> None:
    names = {
        configuration(Outer()),
        configuration(Outer(helpings=(2, 1, 1))),
        configuration(Outer(inner=Inner(0.5000001))),
        configuration(Inner()),
        configuration(Outer(), Inner()),
        configuration(Inner(), Outer()),
    }
    assert len(names) == 6
    assert configuration(Outer()) == configuration(Outer(inner=Inner(0.5)))


def test_the_configuration_of_a_service_can_be_named() -> None:
    flat = by_score(0.0)
    calibration = Calibration("words", flat, flat, lead=0.0, offset=0.0, standard=kept(0.5), curve=())
    name = configuration(calibration, Policy())
    assert name != configuration(replace(calibration, standard=kept(0.6)), Policy())
    assert name != configuration(calibration, Policy(helpings=(1,)))


def test_what_changed_is_named_with_both_fingerprints() -> None:
    now = replace(MODELS, reader="reader-v2:1111", configuration="f" * 16)
    assert MODELS.changed(MODELS) == []
    assert MODELS.changed(now) == [
        "the reader was reader-v1:9a7ce1e398f63a65, it is reader-v2:1111",
        "the configuration was 0123456789abcdef, it is ffffffffffffffff",
    ]


@pytest.mark.parametrize(
    ("fingerprint", "told"),
    [
        ("all-MiniLM-L6-v2:53aa", "all-MiniLM-L6-v2:53aa"),
        ("some/model:cached", "some/model:cached"),
        ("/home/edda/models/mine:0123", "mine:0123"),
        ("C:\\Users\\Edda\\mine:0123", "mine:0123"),
        ("\\\\server\\share\\models\\mine:0123", "mine:0123"),
        ("hashing-64", "hashing-64"),
        ("a\x1b[31mb:1", "a[31mb:1"),
    ],
)
def test_strangers_are_not_told_where_models_lie(fingerprint: str, told: str) -> None:
    assert public(fingerprint) == told


@given(st.text(alphabet="ab/\\:.\x00\ufeffé ", max_size=30) | st.text(max_size=600))
def test_what_may_be_told_stays_as_it_is(fingerprint: str) -> None:
    told = public(fingerprint)
    assert public(told) == told
    Fingerprints(told, told, "0" * 16)
