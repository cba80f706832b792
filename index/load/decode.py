"""Bytes → text, or a clear word why not.

A wrong letter would be quoted as if it were right. So what the bytes are marked or declared as comes first, then UTF-8,
which other text hardly ever is by chance, then what the user says; only then is the encoding guessed, and only where a
single usual one makes sense of the bytes (`detect.py`). Everything else is an error that asks the user.
"""

from __future__ import annotations

import codecs
import re

from index.errors import UnsupportedFormat, WrongEncoding
from index.load.detect import clear_encoding

# The four bytes of UTF-32 begin with the two of UTF-16: the order counts.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\v\f\r\x1b"))
_CONTROL_SHARE = 0.3
# Browsers read these labels as the larger set (WHATWG Encoding Standard, section 4.2).
_WEB_CODECS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_DECLARATION_BYTES = 4096
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARED = re.compile(
    rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w:.-]+)|<\?xml\s[^>]*?encoding\s*=\s*["']([\w:.-]+)["']""", re.IGNORECASE
)


def codec(name: str) -> str:
    """Return Python's name for the text encoding `name`.

    :raises ValueError: there is no such encoding, or it does not make text of bytes.
    """
    try:
        b"a".decode(name)
    except UnicodeError:
        pass  # it exists; one byte is no whole character in it
    except LookupError as error:
        raise ValueError(f"unknown encoding: {name}; try utf-8, windows-1252 or shift_jis") from error
    return codecs.lookup(name).name


def decode_text(data: bytes, name: str, encoding: str | None = None) -> str:
    """Return the text of `data`: as its BOM says, else as UTF-8, else in `encoding`, else in a clear guess.

    :raises UnsupportedFormat: binary data.
    :raises WrongEncoding: not text in any encoding that applies.
    :raises ValueError: `encoding` is unknown.
    """
    return _decode(data, name, (), encoding)


def decode_html(data: bytes, name: str, encoding: str | None = None) -> str:
    """Return the text of `data`: as its BOM says, else as the page declares, else as `decode_text`; errors likewise."""
    declared = _declared(data)
    return _decode(data, name, () if declared is None else (declared,), encoding)


def decode_declared(data: bytes, name: str, label: str | None, encoding: str | None = None) -> str:
    """Return the text of `data`: as its BOM says, else in the encoding `label`, else as `decode_text`; errors likewise.

    A label that is unknown, or that the bytes do not fit, counts for nothing: mail programs write what they like.
    """
    try:
        named = None if label is None else codec(label)
    except ValueError:
        named = None
    # ASCII is said of everything, and UTF-7 is a known way to smuggle markup.
    if named is None or named in {"ascii", "utf-7"}:
        return _decode(data, name, (), encoding)
    if named.startswith(("utf-16", "utf-32")):
        return _decode(data, name, (), named)
    return _decode(data, name, (_WEB_CODECS.get(named, named),), encoding)


def _decode(data: bytes, name: str, declared: tuple[str, ...], encoding: str | None) -> str:
    given = None if encoding is None else codec(encoding)
    for bom, marked in _BOMS:
        if data.startswith(bom):
            try:
                return data[len(bom) :].decode(marked)
            except UnicodeDecodeError as error:
                raise WrongEncoding(name, f"marked as {marked} but {_where(error)}; save it again as UTF-8") from error
    # UTF-16 and UTF-32 without a BOM are full of zero bytes and may well be valid UTF-8.
    wide = given is not None and given.startswith(("utf-16", "utf-32"))
    if not wide:
        _expect_text(data, name)
    codecs_in_order = [*declared, "utf-8"] if given is None else [given] if wide else [*declared, "utf-8", given]
    first: UnicodeDecodeError | None = None
    for candidate in codecs_in_order:
        try:
            return data.decode(candidate)
        except UnicodeDecodeError as error:
            if first is None:
                first = error
    guessed = None if wide else clear_encoding(data)
    if guessed is not None:
        try:
            return data.decode(guessed)
        except UnicodeDecodeError:
            pass  # a sample fitted, all of it does not
    tried = ", nor ".join(dict.fromkeys(codecs_in_order))
    assert first is not None
    raise WrongEncoding(name, f"not {tried}: {_where(first)}; convert it to UTF-8 or pass --encoding NAME") from first


def _where(error: UnicodeDecodeError) -> str:
    return f"byte 0x{error.object[error.start]:02x} at offset {error.start} does not fit"


def _expect_text(data: bytes, name: str) -> None:
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise UnsupportedFormat(name, f"binary data ({what}), not text; give it the suffix of its format")
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if b"\0" in data or controls > _CONTROL_SHARE * len(data):
        raise UnsupportedFormat(
            name, "binary data, not text; if it is text in UTF-16 or UTF-32 without a mark, pass --encoding NAME"
        )


def _declared(data: bytes) -> str | None:
    """Return the codec that an HTML page names for itself, None for none or one that no page is written in."""
    found = _DECLARED.search(_COMMENT.sub(b"", data[:_DECLARATION_BYTES]))
    if found is None:
        return None
    label = (found[1] or found[2]).decode("ascii", "replace")
    try:
        named = codec(label)
    except ValueError:
        return None
    # A page that can be read up to this declaration is not in UTF-16; UTF-7 is a known way to smuggle markup.
    if named.startswith(("utf-16", "utf-32", "utf-7")):
        return None
    return _WEB_CODECS.get(named, named)
