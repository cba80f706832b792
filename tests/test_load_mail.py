"""Mail messages."""

from __future__ import annotations

import pytest

from index.errors import EmptyDocument, UnreadableDocument
from index.load import load
from index.types import Metadata

HEAD = "From: Ada Byron <ada@example.org>\nSubject: Harbour\nDate: Sat, 10 Jan 2026 08:00:00 +0100\n"


def text_of(source: str | bytes) -> str:
    return load(source if isinstance(source, bytes) else source.encode(), "a.eml").text


def parted(kind: str, *parts: str) -> str:
    return (
        f"{HEAD}Content-Type: multipart/{kind}; boundary=B\n\n"
        + "".join(f"--B\n{part}\n" for part in parts)
        + "--B--\n"
    )


def test_a_message_says_its_metadata_in_any_alphabet() -> None:
    source = (
        "From: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <j@example.org>, b@example.org\n"
        "Subject: =?utf-8?b?R3LDtsOfZQ==?=\n of it\n"
        "Date: Sat, 10 Jan 2026 08:00:00 +0100 (CET)\nContent-Language: de\n\nEs ist zu.\n"
    )
    loaded = load(source.encode(), "a.eml")
    assert loaded.text == "Es ist zu."
    assert loaded.metadata == Metadata(
        title="Größe of it",
        author="Jörg Müller, b@example.org",
        published_at="2026-01-10T08:00:00+01:00",
        language="de",
    )


def test_the_plain_part_is_preferred_and_attachments_are_not_read() -> None:
    html = "Content-Type: text/html\n\n<p>The <b>page</b>.</p>"
    plain = "Content-Type: text/plain\n\nThe text."
    attached = "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nAttached."
    forwarded = "Content-Type: message/rfc822\n\nSubject: x\n\nForwarded."
    assert text_of(parted("alternative", html, plain)) == "The text."
    assert text_of(parted("mixed", attached, forwarded, html)) == "The page."
    assert text_of(parted("alternative", html, "Content-Type: text/plain\n\n ")) == "The page."
    with pytest.raises(EmptyDocument, match="a message without text; save its attachments as files"):
        text_of(parted("mixed", attached, forwarded))


def test_a_body_is_decoded_as_declared_and_as_utf8_where_that_is_wrong() -> None:
    quoted = "Content-Transfer-Encoding: quoted-printable\n\nCaf=E9 =96 zu."
    assert text_of(f"{HEAD}Content-Type: text/plain; charset=iso-8859-1\n{quoted}") == "Café – zu."
    for charset in ["us-ascii", "no-such-thing", "koi8-broken", "utf-8"]:
        assert text_of(f"{HEAD}Content-Type: text/plain; charset={charset}\n\nCafé – zu.") == "Café – zu."
    wide = (
        HEAD.encode()
        + b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n//5CAG8AYQB0AHMALgA="
    )
    assert text_of(wide) == "Boats."


def test_flowed_lines_are_joined_and_quotes_kept_apart() -> None:
    lines = ["The harbour is closed ", "until May.", "> Is it open ", "> again?", ">> No.", "-- ", "Ada"]
    source = f"{HEAD}Content-Type: text/plain; format=flowed\n\n" + "\n".join(lines)
    assert text_of(source) == "The harbour is closed until May.\n> Is it open again?\n>> No.\n--\nAda"


def test_a_hard_wrapped_message_is_joined() -> None:
    body = (
        "The harbour of the old town was closed to large ships when the\n"
        "river bed had risen by almost two metres, and since then only the\n"
        "fishing boats have come in.\n"
    )
    assert text_of(f"{HEAD}\n{body}") == body.strip().replace("\n", " ")


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="not a mail message: it has no header"):
        text_of("\n\nOnly text.")


def test_headers_that_trip_the_parser_cost_only_themselves() -> None:
    many = "From: " + '"a" <a@example.org>, ' * 50_000 + "\nSubject: " + "=?utf-8?q?x?= " * 50_000
    for head in [
        many,
        "From: <@@@,;:\nSubject: =?utf-8?b?####?=",
        "From:\nSubject:\nDate: 0",
        "Date: Sat, 99 Foo 2026 99:99 X",
    ]:
        assert text_of(f"{head}\n\nThe text.") == "The text."


def test_a_message_of_many_or_nested_parts_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="more than 1,000 parts"):
        text_of(parted("mixed", *["Content-Type: text/plain\n\nx"] * 10_000))
    deep = "".join(f"Content-Type: multipart/mixed; boundary=B{n}\n\n--B{n}\n" for n in range(200))
    with pytest.raises(UnreadableDocument, match="nested deeper than 50"):
        text_of(deep + "Content-Type: text/plain\n\nHi.")
    deeper = "".join(f"Content-Type: multipart/mixed; boundary=B{n}\n\n--B{n}\n" for n in range(3_000))
    with pytest.raises(UnreadableDocument, match="too deep to read"):
        text_of(deeper + "Content-Type: text/plain\n\nHi.")
