"""Files in files: `.zip` and `.gz`."""

from __future__ import annotations

import gzip
import io
import stat
import warnings
import zipfile

import pytest

from index.errors import DocumentError, DocumentTooLarge, UnreadableDocument, UnsupportedFormat
from index.load import Limits, Loaded, load, load_all
from index.types import Metadata

MIB = 2**20


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two members of one name
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def texts(loaded: Loaded) -> dict[str, str]:
    return {one.member: one.text for one in loaded.documents}


def reasons(loaded: Loaded) -> dict[str, str]:
    return {error.name: error.reason for error in loaded.failures}


# ---- gzip -----------------------------------------------------------------------------------------------------------


def test_a_packed_file_is_what_its_name_says_without_gz() -> None:
    assert load(gzip.compress(b"# Boats\n\nThey are in."), "a.md.gz").metadata.title == "Boats"
    loaded = load_all(gzip.compress(b'{"id": "x", "text": "Boats."}\nnonsense'), "n.jsonl.GZ")
    assert texts(loaded) == {"x": "Boats."}
    assert list(reasons(loaded)) == ["n.jsonl.GZ#2"]


@pytest.mark.parametrize(
    "data", [b"", b"Boats.", gzip.compress(b"Boats." * 100)[:-9], gzip.compress(b"Boats.")[:-8] + bytes(8)]
)
def test_damaged_gzip_data_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        load_all(data, "a.txt.gz")
    assert caught.value.name == "a.txt.gz"


def test_a_gzip_bomb_is_refused_after_a_few_bytes() -> None:
    with pytest.raises(DocumentTooLarge, match=r"a\.txt\.gz: unpacks to over 512 MiB, or to over 200 times its size"):
        load_all(gzip.compress(b"a" * 60 * MIB), "a.txt.gz")
    assert load(gzip.compress(b"a" * MIB), "a.txt.gz").text == "a" * MIB


# ---- zip ------------------------------------------------------------------------------------------------------------


def test_members_with_a_loader_are_documents_by_their_paths() -> None:
    data = zipped(
        ("news/a.jsonl", b'{"id": "x", "text": "Boats."}\n{"id": "y", "text": "Nets."}'),
        ("b.txt.gz", gzip.compress(b"Rope.")),
        ("inner.zip", zipped(("c.html", b"<p>Anchors.</p>"))),
        ("logo.png", b"\x89PNG"),
        ("__MACOSX/b.txt", b"no"),
        (".hidden/c.txt", b"no"),
        ("folder/", b""),
    )
    loaded = load_all(data, "a.zip")
    assert texts(loaded) == {
        "news/a.jsonl#x": "Boats.",
        "news/a.jsonl#y": "Nets.",
        "b.txt.gz": "Rope.",
        "inner.zip#c.html": "Anchors.",
    }
    assert loaded.failures == ()


def test_a_bad_member_is_a_failure_by_its_path() -> None:
    data = zipped(
        ("a.txt", b"Boats."), ("b.txt", b"\x00\x01"), ("c.zip", zipped(("d.jsonl", b"x\n"))), ("e.docx", b"no")
    )
    loaded = load_all(data, "a.zip")
    assert texts(loaded) == {"a.txt": "Boats."}
    assert list(reasons(loaded)) == ["a.zip#b.txt", "a.zip#c.zip#d.jsonl#1", "a.zip#e.docx"]


def test_a_member_may_have_its_sidecar_beside_it() -> None:
    data = zipped(
        ("a.txt", b"Caf\xe9."), ("a.txt.meta.yaml", b"title: Boats\nencoding: latin-1"),
        ("b.txt", b"Nets."), ("b.meta.yml", b"language: en"),
    )  # fmt: skip
    loaded = load_all(data, "a.zip", sidecar=b"title: All of it\npublisher: The Gazette")
    assert [(one.text, one.metadata) for one in loaded.documents] == [
        ("Café.", Metadata(title="Boats", publisher="The Gazette")),
        ("Nets.", Metadata(publisher="The Gazette", language="en")),
    ]


def test_of_two_members_of_one_name_the_later_counts() -> None:
    assert texts(load_all(zipped(("a.txt", b"Old."), ("a.txt", b"New.")), "a.zip")) == {"a.txt": "New."}


def test_paths_out_of_the_archive_and_links_are_refused() -> None:
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names = ["../x.txt", "/etc/x.txt", "a/../../x.txt", "C:\\x.txt", "..\\x.txt"]
    loaded = load_all(
        zipped(("ok.txt", b"Boats."), (link, b"/etc/passwd"), *[(name, b"no") for name in names]), "a.zip"
    )
    assert texts(loaded) == {"ok.txt": "Boats."}
    found = reasons(loaded)
    assert found.pop("a.zip#link.txt") == "a symbolic link; pack the file itself"
    assert set(found) == {f"a.zip#{name}" for name in names}
    assert set(found.values()) == {"its path leads out of the archive; pack it again without such paths"}


def test_an_encrypted_member_says_so() -> None:
    data = bytearray(zipped(("a.txt", b"Boats."), method=zipfile.ZIP_STORED))
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + offset] |= 1
    with pytest.raises(UnreadableDocument, match=r"a\.zip#a\.txt: encrypted; unpack it with its password first"):
        load_all(bytes(data), "a.zip")


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["Größe der Brücke.txt"], "utf-8"),
        (["отчёт о работе порта за год.txt", "протокол заседания городского совета.txt"], "cp1251"),
        (["cafΘ.txt"], "cp437"),
    ],
)
def test_names_that_are_not_marked_as_utf8_are_made_readable(names: list[str], encoding: str) -> None:
    data = zipped(
        *[(f"{number}{'x' * (len(name.encode(encoding)) - 5)}.txt", b"Boats.") for number, name in enumerate(names)]
    )
    for number, name in enumerate(names):
        raw = name.encode(encoding)
        data = data.replace(f"{number}{'x' * (len(raw) - 5)}.txt".encode(), raw)
    assert list(texts(load_all(data, "a.zip"))) == names


def test_what_is_no_sound_archive_is_refused() -> None:
    whole = zipped(("a.txt", b"Boats." * 100))
    damaged = bytearray(whole)
    damaged[40] ^= 0xFF
    for data in [b"", b"PK\x03\x04", whole[:-10], whole[20:], bytes(damaged)]:
        with pytest.raises(UnreadableDocument):
            load_all(data, "a.zip")
    for data in [zipped(), zipped(("a.png", b"x"))]:
        with pytest.raises(UnsupportedFormat, match="a zip archive with nothing in it that has a loader"):
            load_all(data, "a.zip")
    with pytest.raises(UnreadableDocument, match="packed by a method other than deflate"):
        load_all(zipped(("a.txt", b"Boats."), method=zipfile.ZIP_BZIP2), "a.zip")


def test_a_zip_bomb_is_refused_and_what_was_before_it_stays() -> None:
    data = zipped(("a.txt", b"Boats."), *[(f"bomb{n}.txt", b"a" * 40 * MIB) for n in range(5)])
    loaded = load_all(data, "a.zip")
    assert texts(loaded) == {"a.txt": "Boats."}
    assert {type(error) for error in loaded.failures} == {DocumentTooLarge}
    assert len(loaded.failures) == 5


def test_all_that_comes_out_counts_together() -> None:
    noise = bytes(range(65, 91)) * 20_000
    loaded = load_all(
        zipped(*[(f"{n}.txt", noise) for n in range(5)]), "a.zip", limits=Limits(unpacked=MIB, ratio=10**6)
    )
    assert list(texts(loaded)) == ["0.txt", "1.txt"]
    assert len(loaded.failures) == 3


def test_a_header_that_lies_about_the_size_gains_nothing() -> None:
    data = bytearray(zipped(("a.txt", b"a" * 40 * MIB)))
    for header, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(header) + offset
        data[start : start + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DocumentError):
        load_all(bytes(data), "a.zip")


def test_a_zip_may_lie_in_a_zip_but_no_deeper() -> None:
    data = zipped(("a.txt", b"Boats."))
    data = zipped(("inner.zip", data))
    assert texts(load_all(data, "a.zip")) == {"inner.zip#a.txt": "Boats."}
    with pytest.raises(UnreadableDocument, match=r"a\.zip#o\.zip#inner\.zip: a zip in a zip in a zip"):
        load_all(zipped(("o.zip", data)), "a.zip")


def test_an_archive_has_at_most_so_many_members() -> None:
    data = zipped(*[(f"{n}.txt", b"a") for n in range(11)])
    with pytest.raises(DocumentTooLarge, match="11 members, over the limit of 10; split it"):
        load_all(data, "a.zip", limits=Limits(members=10))
