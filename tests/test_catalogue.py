"""The library looked through: in any order, by words, page by page, and what each document has been."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.schemas_catalogue import ORDERS
from api.settings import Settings
from api.wiring import open_runtime
from index import change
from index.catalogue import Entry, Order, folded, listed
from index.naming import document_id
from index.sync import sync
from tests.fakes import HashingEmbedder, write_files

Json = dict[str, Any]

TITLED = "---\ntitle: {title}\npublished_at: {date}\npublisher: {publisher}\n---\n\n{text}\n"


def entry(name: str, title: str = "T", **known: Any) -> Entry:
    found = Entry(name, title, None, None, f"{name}.txt", None, 1, 1, f"group of {name}")
    return found._replace(**known)


def ids(entries: list[Entry], words: str = "", order: Order | None = None) -> list[str]:
    found = listed(entries, words, Order("title") if order is None else order, after=None, limit=1_000)
    return list(found.ids)


# ---- orders and words ------------------------------------------------------------------------------------------------


def test_titles_are_ordered_as_they_are_read() -> None:
    titles = {"a": "the Ferry", "b": "“The Dredger”", "c": "Élan", "d": "eland", "e": "12 knots", "f": "!!"}
    entries = [entry(name, title) for name, title in titles.items()]
    assert ids(entries) == ["e", "c", "d", "b", "a", "f"]
    assert ids(entries, order=Order("title", descending=True)) == ["a", "b", "d", "c", "e", "f"]


def test_what_has_no_date_comes_last_both_ways() -> None:
    entries = [entry("a"), entry("b", published_at="2026-01-10"), entry("c", published_at="2025-12-31T08:00:00Z")]
    assert ids(entries, order=Order("published")) == ["c", "b", "a"]
    assert ids(entries, order=Order("published", descending=True)) == ["b", "c", "a"]


def test_numbers_are_ordered_as_numbers() -> None:
    entries = [entry("a", passages=10), entry("b", passages=9), entry("c", passages=100)]
    assert ids(entries, order=Order("passages")) == ["b", "a", "c"]
    assert ids([entry("a", added=2), entry("b", added=11)], order=Order("added", descending=True)) == ["b", "a"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"a", "b", "c"}),
        ("  ", {"a", "b", "c"}),
        ("FERRY", {"a", "b"}),
        ("ferry gothenburg", {"b"}),
        ("göteborg", {"b"}),
        ("goteb", {"b"}),
        ("c.txt", {"c"}),
        ("harbour", {"c"}),
        ("edda holm", {"c"}),
        ("ferry submarine", set()),
        ("%", set()),
    ],
)
def test_words_are_found_anywhere_in_what_names_a_document(words: str, expected: set[str]) -> None:
    entries = [
        entry("a", "The ferry"),
        entry("b", "Ferries and a ferry of Göteborg (Gothenburg)"),
        entry("c", publisher="Harbour News", author="Edda\nHolm"),
    ]
    assert set(ids(entries, words)) == expected
    assert listed(entries, words, Order("id"), after=None, limit=1).total == len(expected)


def test_copies_are_counted_over_the_whole_library() -> None:
    entries = [entry("a", group="g"), entry("b", "Other", group="g"), entry("c", group="g"), entry("d")]
    found = listed(entries, "other", Order("id"), after=None, limit=10)
    assert (found.ids, found.copies) == (("b",), {"b": 2})


NAMES = st.text(st.characters(codec="utf-8"), max_size=6)
ENTRIES = st.lists(
    st.builds(
        lambda number, title, published, added: entry(f"d{number}", title, published_at=published, added=added),
        st.integers(0, 60), NAMES, st.none() | st.sampled_from(["2025", "2026-01-01", "2026-01-02"]), st.integers(1, 3),
    ),
    unique_by=lambda one: one.id, max_size=25,
)  # fmt: skip


@given(ENTRIES, st.sampled_from(sorted(ORDERS)), st.integers(1, 7), st.sampled_from(["", "a", "d1"]))
def test_pages_hold_each_match_once_and_in_order(entries: list[Entry], sort: str, limit: int, words: str) -> None:
    order = next(order for name, order in ORDERS.items() if name == sort)
    known = {one.id: one for one in entries}
    whole = listed(entries, words, order, after=None, limit=1_000)
    assert not whole.more
    assert {name for name in known if folded(words) in folded(f"{known[name].title}\n{name}.txt")} == set(whole.ids)
    paged: list[str] = []
    more = True
    while more:
        page = listed(entries, words, order, after=known[paged[-1]] if paged else None, limit=limit)
        assert (len(page.ids) <= limit, page.total) == (True, len(whole.ids))
        paged, more = [*paged, *page.ids], page.more
    assert tuple(paged) == whole.ids


# ---- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a library of three documents in three generations; the ferry had two revisions."""
    place = tmp_path_factory.mktemp("shelves")
    dredger = TITLED.format(title="A dredger", date="2024-05-01", publisher="Harbour News", text="It digs.")
    files = {"ferry.md": TITLED.format(title="The ferry", date="2026-01-10", publisher="The Ship", text="At nine.")}
    sources = write_files(place / "sources", {**files, "dredger.md": dredger})
    sync(place / "library", HashingEmbedder(), [sources])
    write_files(sources, {"ferry.md": files["ferry.md"].replace("nine", "ten").replace("The ferry", "Zora, the ferry")})
    sync(place / "library", HashingEmbedder(), [sources])
    write_files(sources, {"barge.txt": "The barge waits."})
    sync(place / "library", HashingEmbedder(), [sources])
    return place / "library"


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    runtime = open_runtime(Settings(library=folder), HashingEmbedder())
    yield TestClient(create_app(runtime), base_url="http://localhost", raise_server_exceptions=False)
    runtime.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sort": "title"}, ["dredger.md", "barge.txt", "ferry.md"]),
        ({"sort": "-title"}, ["ferry.md", "barge.txt", "dredger.md"]),
        ({"sort": "-published"}, ["ferry.md", "dredger.md", "barge.txt"]),
        ({"sort": "published"}, ["dredger.md", "ferry.md", "barge.txt"]),
        ({"sort": "-added"}, ["barge.txt", "ferry.md", "dredger.md"]),
        ({"q": "FERRY"}, ["ferry.md"]),
        ({"q": "news dredg", "sort": "-published"}, ["dredger.md"]),
        ({"q": "submarine"}, []),
    ],
)
def test_documents_are_listed_in_an_order_and_by_words(client: TestClient, query: Json, expected: list[str]) -> None:
    whole = client.get("/v1/documents", params=query).json()
    assert [document["uri"] for document in whole["data"]] == expected
    assert (whole["total"], whole["generation"], whole["next_cursor"]) == (len(expected), 3, None)
    paged: list[str] = []
    cursor, more = "", bool(expected)
    while more:
        page = client.get("/v1/documents", params={**query, "limit": 1, "after": cursor}).json()
        paged += [document["uri"] for document in page["data"]]
        cursor, more = page["next_cursor"], page["has_more"]
    assert paged == expected


def test_a_catalogue_counts_copies_and_a_plain_list_stays_what_it_was(tmp_path: Path) -> None:
    report = "The ferry to Skerry Rock leaves at noon from the north pier, and takes letters and sheep. " * 4
    sources = write_files(tmp_path / "sources", {"a.txt": report, "b.txt": report, "c.txt": "Something else."})
    sync(tmp_path / "library", HashingEmbedder(), [sources])
    runtime = open_runtime(Settings(library=tmp_path / "library"), HashingEmbedder())
    client = TestClient(create_app(runtime), base_url="http://localhost")
    catalogue = client.get("/v1/documents", params={"sort": "title"}).json()
    assert catalogue["copies"] == {document_id("a.txt"): 1, document_id("b.txt"): 1}
    plain = client.get("/v1/documents").json()
    assert "copies" not in plain
    assert sorted(d["id"] for d in plain["data"]) == sorted(d["id"] for d in catalogue["data"])
    runtime.close()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sort": "size"}, "sort"),
        ({"q": "x" * 201}, "q"),
        ({"sort": "title", "after": "doc_gone"}, "after"),
        ({"sort": "title", "after": "\x00' OR 1=1 --"}, "after"),
    ],
)
def test_a_wrong_order_or_cursor_is_refused_by_name(client: TestClient, query: Json, field: str) -> None:
    response = client.get("/v1/documents", params=query)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


def test_the_revisions_of_a_document_are_listed_and_their_texts_are_to_be_had(client: TestClient) -> None:
    ferry = document_id("ferry.md")
    listed_now = client.get(f"/v1/documents/{ferry}/revisions").json()
    now, before = listed_now["data"]
    assert (listed_now["has_more"], now["title"], before["title"]) == (False, "Zora, the ferry", "The ferry")
    assert (now["added_in_generation"], now["removed_in_generation"], now["removed_at"]) == (2, None, None)
    assert (before["added_in_generation"], before["removed_in_generation"]) == (1, 2)
    made = {one["number"]: one["created_at"] for one in client.get("/v1/generations").json()["data"]}
    assert (now["added_at"], before["added_at"], before["removed_at"]) == (made[2], made[1], made[2])
    old = client.get(f"/v1/documents/{ferry}/text", params={"revision": before["revision"]})
    assert "At nine." in old.text
    page = client.get(f"/v1/documents/{ferry}/revisions", params={"limit": 1}).json()
    assert (page["data"], page["has_more"]) == ([now], True)


def test_a_purged_document_has_no_revisions_and_a_deleted_one_has(tmp_path: Path) -> None:
    sources = write_files(tmp_path / "sources", {"a.txt": "One thing.", "b.txt": "Two things.", "c.txt": "Three."})
    sync(tmp_path / "library", HashingEmbedder(), [sources])
    change.delete(tmp_path / "library", [document_id("a.txt")], purge=False)
    change.delete(tmp_path / "library", [document_id("b.txt")], purge=True)
    runtime = open_runtime(Settings(library=tmp_path / "library"), HashingEmbedder())
    client = TestClient(create_app(runtime), base_url="http://localhost")
    deleted = client.get(f"/v1/documents/{document_id('a.txt')}/revisions").json()
    assert [one["removed_in_generation"] for one in deleted["data"]] == [2]
    for name in (document_id("b.txt"), "none"):
        response = client.get(f"/v1/documents/{name}/revisions")
        assert (response.status_code, response.json()["type"]) == (404, "urn:citespan:problem:unknown-document")
    runtime.close()
