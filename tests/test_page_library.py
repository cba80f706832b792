"""The library as the page shows it, in a real browser: found, ordered, read, deleted, gone back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from index.naming import document_id
from index.sync import sync
from tests.browser import Json, Visit, has_focus, shoot, violations
from tests.fakes import HashingEmbedder, write_files
from tests.shelf import records, served, shelf
from tests.waiting import until

FRONT = "---\ntitle: {title}\npublished_at: {date}\npublisher: {publisher}\n---\n\n{text}\n"
REPORT = "The ferry to Skerry Rock leaves at noon from the north pier, and takes letters and sheep. " * 4
FERRY = FRONT.format(title="The ferry", date="2026-01-10", publisher="The Ship", text=REPORT)
FILES = {
    "ferry.md": FERRY,
    "copy.txt": REPORT,
    "dredger.md": FRONT.format(title="A dredger", date="2024-05-01", publisher="Harbour News", text="It digs."),
}
CHANGED = FERRY.replace("noon", "ten").replace("The ferry\n", "Ferry and dredger\n")
KEY = "skerry-rock-7"


def house(folder: Path) -> Path:
    """Return a new library of two generations: three documents, then the ferry at another hour."""
    library = shelf(folder, FILES)
    sync(library, HashingEmbedder(), [write_files(folder / "sources", {"ferry.md": CHANGED})])
    return library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return house(tmp_path)


@pytest.fixture
def live_server(library: Path) -> Iterator[str]:
    """Yield the URL of a server of a library that the test may change."""
    with served(library) as url:
        yield url


def titles(page: Page) -> list[str]:
    return page.locator("#library-list .title").all_text_contents()


def entry(page: Page, title: str) -> Locator:
    return page.locator("#library-list li", has=page.get_by_role("button", name=title, exact=True))


def details(page: Page, title: str) -> Locator:
    """Show all that is known of a document, and return it."""
    item = entry(page, title)
    item.get_by_role("button", name="Details").click()
    expect(item.get_by_text("Looking for earlier revisions…")).to_have_count(0)
    return item


def uris(server: str) -> set[str]:
    return {document["uri"] for document in httpx2.get(f"{server}/v1/documents").json()["data"]}


# Looking


def test_documents_are_listed_by_title_with_what_is_known_of_them(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#library-list .title")).to_have_text(["A dredger", "copy", "Ferry and dredger"])
    assert [text.replace("\u00a0", "") for text in page.locator(".entry > .meta").all_text_contents()] == [
        "Harbour News· 1 May 2024· Markdown· 1 passage",
        "Text· 1 passage· 1 copy",
        "The Ship· 10 January 2026· Markdown· 1 passage· 1 copy",
    ]
    expect(page.locator("#library-status")).to_have_text("3 documents · generation 2")
    expect(page.locator("#library-facts")).to_contain_text("3 documents · 3 passages · generation 2 · changed ")


def test_a_document_opens_and_can_be_verified(visit: Visit) -> None:
    page = visit()
    title = page.locator("#library-list .title").first
    title.click()
    expect(page.locator("#source-title")).to_have_text("A dredger")
    expect(page.locator("#source-text .page")).to_have_text("It digs.")
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text("Verified in this browser.")
    page.keyboard.press("Escape")
    assert has_focus(title)


def test_documents_are_found_and_ordered(visit: Visit) -> None:
    page = visit()
    find = page.get_by_role("searchbox", name="Find")
    find.fill("dredger")
    expect(page.locator("#library-note")).to_have_text("2 documents found.")
    expect(page.locator("#library-list .title")).to_have_text(["A dredger", "Ferry and dredger"])
    page.get_by_role("combobox", name="Order").select_option("Date, newest first")
    expect(page.locator("#library-list .title")).to_have_text(["Ferry and dredger", "A dredger"])
    find.fill("dredger HARBOUR")
    expect(page.locator("#library-list .title")).to_have_text(["A dredger"])
    find.fill("submarine")
    expect(page.locator("#library-note")).to_contain_text("No document has these words")
    expect(page.locator("#library-status")).to_have_text("3 documents · generation 2")
    find.fill("")
    expect(page.locator("#library-list .title")).to_have_count(3)
    expect(page.locator("#library-note")).to_have_text("")


def test_details_hold_the_revisions_and_an_earlier_one_can_be_read(visit: Visit) -> None:
    page = visit()
    item = details(page, "Ferry and dredger")
    expect(item.locator("dd").first).to_have_text("ferry.md")
    expect(item.get_by_text("1 other document with nearly the same text")).to_be_visible()
    expect(item.locator("ol li")).to_contain_text(["generation 2 until now", "generation 1"])
    item.get_by_role("button", name="Read as it was").click()
    expect(page.locator("#source-title")).to_have_text("The ferry")
    expect(page.locator("#source-text .page")).to_contain_text("leaves at noon")
    page.keyboard.press("Escape")
    assert has_focus(item.get_by_role("button", name="Read as it was"))


def test_generations_say_what_each_changed(visit: Visit) -> None:
    page = visit()
    page.locator("#history summary").click()
    generations = page.locator("#history > ol > li")
    expect(generations).to_have_count(2)
    expect(generations.first).to_contain_text("Generation 2 questions are put to it")
    expect(generations.first).to_contain_text("1 changed")
    expect(generations.nth(1)).to_contain_text("3 added")
    generations.first.get_by_role("button", name="What changed").click()
    expect(generations.first.locator(".changed")).to_have_text("ChangedFerry and dredger")
    generations.nth(1).get_by_role("button", name="What changed").click()
    expect(generations.nth(1).locator(".changed h3")).to_have_text("Added")
    expect(generations.nth(1).locator(".changed li")).to_have_count(3)
    expect(generations.first.get_by_role("button", name="Go back")).to_have_count(0)


def test_ten_thousand_documents_are_looked_through_a_few_at_a_time(visit: Visit, tmp_path: Path) -> None:
    large = shelf(tmp_path / "large", {"reports.jsonl": records(10_000)})
    with served(large) as url:
        page = visit()
        page.goto(url)
        expect(page.locator("#library-status")).to_have_text("10,000 documents · generation 1")
        expect(page.locator(".entry")).to_have_count(12)
        assert titles(page)[:2] == ["Report 00000 of the harbour master", "Report 00001 of the harbour master"]
        page.get_by_role("button", name="Show 50 more of 9,988").click()
        expect(page.locator(".entry")).to_have_count(62)
        assert has_focus(page.locator(".entry").nth(12).locator(".title"))
        assert titles(page) == [f"Report {number:05d} of the harbour master" for number in range(62)]
        page.locator("#library-sort").select_option("-title")
        expect(page.locator(".entry .title").first).to_have_text("Report 09999 of the harbour master")
        expect(page.locator(".entry")).to_have_count(12)
        page.locator("#library-find").fill("report 0777")
        expect(page.locator("#library-note")).to_have_text("11 documents found.")
        found = [*range(7779, 7769, -1), 777]
        assert titles(page) == [f"Report {number:05d} of the harbour master" for number in found]
        assert page.evaluate("document.querySelectorAll('*').length") < 500
        expect(page.locator("#history")).not_to_have_attribute("open", "")
        page.locator("#history summary").click()
        expect(page.locator("#history li")).to_contain_text("10,000 added")
        expect(page.get_by_role("button", name="What changed")).to_have_count(0)
        shoot(page, "library-of-10000")


def test_what_others_upload_is_told_and_followed(visit: Visit, live_server: str) -> None:
    page = visit()
    job = {"id": "job_1", "status": "running"}
    page.route("**/v1/jobs?*", lambda route: route.fulfill(json={"object": "list", "data": [job], "has_more": False}))
    page.locator("#library-find").fill(" ")
    expect(page.locator("#library-facts")).to_contain_text("1 upload under way")
    sent = httpx2.post(f"{live_server}/v1/documents", files={"file": ("barge.txt", b"The barge waits.")})
    assert sent.status_code == 202
    expect(page.locator("#library-status")).to_have_text("4 documents · generation 3")
    expect(page.locator("#library-list .title")).to_have_text(["A dredger", "barge", "copy", "Ferry and dredger"])
    page.unroute("**/v1/jobs?*")
    expect(page.locator("#library-facts")).not_to_contain_text("under way")


# Changing


def test_deleting_is_asked_about_and_then_done(visit: Visit, live_server: str) -> None:
    page = visit()
    item = details(page, "A dredger")
    delete = item.get_by_role("button", name="Delete…")
    delete.click()
    dialog = page.get_by_role("dialog", name="Delete “A dredger”?")
    expect(dialog.get_by_role("listitem")).to_have_text(
        [
            "No question is answered from it from now on.",
            "Its text stays in earlier generations: going back to one of them brings it back.",
            "A sync of its folder leaves it out.",
        ]
    )
    assert has_focus(dialog.get_by_role("button", name="Cancel"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert has_focus(delete)
    assert "dredger.md" in uris(live_server)

    delete.click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#announcer")).to_have_text("“A dredger” was deleted.")
    expect(page.locator("#library-list .title")).to_have_text(["copy", "Ferry and dredger"])
    expect(page.locator("#library-status")).to_have_text("2 documents · generation 3")
    assert uris(live_server) == {"copy.txt", "ferry.md"}
    assert httpx2.post(f"{live_server}/v1/search", json={"query": "digs", "as_of": 2}).json()["data"] != []


def test_purging_leaves_nothing_behind_and_says_so_before(visit: Visit, live_server: str) -> None:
    page = visit()
    details(page, "A dredger").get_by_role("button", name="Purge…").click()
    dialog = page.get_by_role("dialog", name="Purge “A dredger” for ever?")
    expect(dialog).to_contain_text("overwritten, here and in every earlier generation")
    dialog.get_by_role("button", name="Purge for ever").click()
    expect(page.locator("#announcer")).to_have_text("“A dredger” was purged.")
    expect(page.locator("#library-list .title")).to_have_text(["copy", "Ferry and dredger"])
    assert httpx2.get(f"{live_server}/v1/documents/{document_id('dredger.md')}/revisions").status_code == 404
    page.locator("#history summary").click()
    generations = page.locator("#history > ol > li")
    expect(generations.nth(1)).to_contain_text("1 document purged")
    expect(page.get_by_role("button", name="Go back")).to_have_count(0)


def test_going_back_is_asked_about_and_brings_the_documents_back(visit: Visit, live_server: str) -> None:
    httpx2.delete(f"{live_server}/v1/documents/{document_id('dredger.md')}").raise_for_status()
    page = visit()
    expect(page.locator("#library-list .title")).to_have_text(["copy", "Ferry and dredger"])
    page.locator("#history summary").click()
    page.get_by_role("button", name="Go back to 1…").click()
    dialog = page.get_by_role("dialog", name="Go back to generation 1?")
    expect(dialog).to_contain_text("A new generation gets the 3 documents of generation 1")
    dialog.get_by_role("button", name="Go back").click()
    expect(page.locator("#announcer")).to_have_text("The library went back to generation 1. Generation 4 answers now.")
    expect(page.locator("#library-list .title")).to_have_text(["A dredger", "copy", "The ferry"])
    expect(page.locator("#history > ol > li").first).to_contain_text("went back to generation 1")


def test_a_change_that_fails_is_told_and_nothing_is_changed(visit: Visit, live_server: str) -> None:
    page = visit()
    busy = {"title": "Service Unavailable", "status": 503, "detail": "the library is busy; try again in a moment"}
    for path in ("**/v1/documents/*", "**/v1/generations/*/rollback"):
        page.route(path, lambda route: route.fulfill(status=503, json=busy, content_type="application/problem+json"))
    item = details(page, "copy")
    item.get_by_role("button", name="Delete…").click()
    page.locator("#sure").get_by_role("button", name="Delete").click()
    expect(item.get_by_role("alert")).to_contain_text("It was not deleted.")
    expect(item.get_by_role("alert")).to_contain_text("the library is busy")
    page.locator("#history summary").click()
    page.get_by_role("button", name="Go back to 1…").click()
    page.locator("#sure").get_by_role("button", name="Go back").click()
    expect(page.locator("#history").get_by_role("alert")).to_contain_text("The library is as it was.")
    assert len(uris(live_server)) == 3


def test_the_key_is_asked_for_and_kept_only_if_the_reader_says_so(visit: Visit, library: Path) -> None:
    stored = "Object.values({...sessionStorage, ...localStorage}).join(' ')"
    with served(library, api_key=KEY) as url:
        page = visit()
        page.goto(url)
        item = details(page, "A dredger")
        item.get_by_role("button", name="Delete…").click()
        page.locator("#sure").get_by_role("button", name="Delete").click()
        gate = page.get_by_role("dialog", name="This needs a key of the library")
        box = gate.get_by_role("textbox", name="Key")
        assert has_focus(box)
        page.keyboard.press("Escape")
        expect(item.get_by_role("alert")).to_contain_text("The library’s key is needed")

        item.get_by_role("button", name="Delete…").click()
        page.locator("#sure").get_by_role("button", name="Delete").click()
        box.fill("wrong")
        box.press("Enter")
        expect(gate.get_by_role("alert")).to_have_text("The service did not accept this key.")
        box.fill("né e")
        box.press("Enter")
        expect(gate.get_by_role("alert")).to_have_text("A key has letters, digits and signs, and no spaces.")
        box.fill(KEY)
        box.press("Enter")
        expect(page.locator("#library-list .title")).to_have_text(["copy", "Ferry and dredger"])
        assert KEY not in page.evaluate(stored)
        assert KEY not in page.content()

        page.reload()
        details(page, "copy").get_by_role("button", name="Delete…").click()
        page.locator("#sure").get_by_role("button", name="Delete").click()
        gate.get_by_label("Keep it until this tab is closed").check()
        box.fill(KEY)
        gate.get_by_role("button", name="Go on").click()
        expect(page.locator("#library-list .title")).to_have_text(["Ferry and dredger"])
        assert page.evaluate("sessionStorage.getItem('citespan-key')") == KEY

        page.reload()
        details(page, "Ferry and dredger").get_by_role("button", name="Delete…").click()
        page.locator("#sure").get_by_role("button", name="Delete").click()
        expect(page.locator("#library-note")).to_contain_text("The library is empty.")
        expect(gate).to_be_hidden()


# By keyboard, on any screen, in any colours, whatever is written there


def test_keyboard_alone_is_enough(visit: Visit, live_server: str) -> None:
    page = visit()
    page.locator("#library-sort").focus()
    page.keyboard.press("Tab")
    assert has_focus(page.locator(".entry .title").first)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    item = entry(page, "A dredger")
    expect(item.get_by_role("button", name="Read")).to_be_visible()
    page.keyboard.press("Tab")
    assert has_focus(item.get_by_role("button", name="Read"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#sure")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#library-list .title")).to_have_text(["copy", "Ferry and dredger"])
    # The focus stays in the list: what had it is gone.
    assert has_focus(page.locator(".entry .title").first)
    assert uris(live_server) == {"copy.txt", "ferry.md"}


HOSTILE = "<img src=x onerror=alert(1)>\n\u202e<script>alert(2)</script> ${alert(3)}"


def rows(*found: Json) -> Json:
    data = [
        {"id": f"doc_{number}", "revision": f"sha256:{number}", "title": "T", "uri": "a.txt"} | row
        for number, row in enumerate(found)
    ]
    return {"object": "list", "data": data, "has_more": False, "total": len(data), "generation": None}


def test_hostile_titles_stay_text(visit: Visit) -> None:
    page = visit()
    endless = "Endless" * 300
    told = rows(
        {
            "title": HOSTILE,
            "publisher": HOSTILE,
            "uri": "javascript:alert(4)",
            "published_at": HOSTILE,
            "tags": ["<b>"],
        },
        {"title": "", "uri": "notes/<b>.pdf"},
        {"title": endless, "author": endless, "publisher": endless, "uri": f"https://a.example/{endless}"},
        {"title": "", "uri": "", "publisher": None},
    )
    page.route("**/v1/documents?*", lambda route: route.fulfill(json=told))
    page.set_viewport_size({"width": 360, "height": 700})
    page.reload()
    expect(page.locator(".entry")).to_have_count(4)
    assert titles(page) == [HOSTILE, "notes/<b>.pdf", endless, "Untitled document"]
    for item in page.locator(".entry").all():
        item.get_by_role("button", name="Details").click()
        expect(item.get_by_text("The revisions could not be listed.")).to_be_visible()
    assert page.locator("main img, main script, #library b, #library a[href^=javascript]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="Purge…").first.click()
    assert page.locator("#sure-title").text_content() == f"Purge “{HOSTILE}” for ever?"
    assert page.locator("#sure img, #sure script").count() == 0
    assert violations(page) == []


def test_nothing_is_wider_than_a_small_phone(visit: Visit) -> None:
    page = visit(width=360, height=700, has_touch=True, is_mobile=True)
    details(page, "Ferry and dredger")
    page.locator("#history summary").click()
    page.get_by_role("button", name="What changed").first.click()
    expect(page.locator(".changed").first).to_contain_text("Ferry and dredger")
    assert page.evaluate("document.documentElement.scrollWidth <= 360 && visualViewport.scale === 1")
    for control in page.locator("#library button:visible, #library select, #library input:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 24
    page.get_by_role("button", name="Go back to 1…").click()
    box = page.locator("#sure").bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= 360) == (True, True)
    shoot(page, "library-phone-dialog")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_library(visit: Visit, scheme: Literal["light", "dark"]) -> None:
    page = visit(color_scheme=scheme)
    details(page, "Ferry and dredger")
    page.locator("#history summary").click()
    page.get_by_role("button", name="What changed").first.click()
    expect(page.locator(".changed").first).to_contain_text("Ferry and dredger")
    shoot(page, f"library-{scheme}")
    assert violations(page) == []
    page.get_by_role("button", name="Delete…").click()
    expect(page.locator("#sure")).to_be_visible()
    shoot(page, f"library-delete-{scheme}")
    assert violations(page) == []
    needed = {"title": "Unauthorized", "status": 401, "detail": "the library is changed with its key only"}
    page.route(
        "**/v1/documents/*",
        lambda route: route.fulfill(status=401, json=needed, content_type="application/problem+json"),
    )
    page.locator("#sure").get_by_role("button", name="Delete").click()
    page.get_by_role("textbox", name="Key").fill("wrong")
    page.get_by_role("textbox", name="Key").press("Enter")
    expect(page.get_by_text("The service did not accept this key.")).to_be_visible()
    shoot(page, f"library-key-{scheme}")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#library").get_by_role("alert")).to_contain_text("key is needed")
    assert violations(page) == []


# When it goes wrong


def test_page_waits_for_a_service_that_is_not_ready(visit: Visit) -> None:
    page = visit()
    state: dict[str, Any] = {"ready": False}
    empty = {"object": "list", "data": [], "has_more": False, "next_cursor": None, "total": 0, "generation": 0}

    def documents(route: Route) -> None:
        if state["ready"]:
            route.fulfill(json=empty)
        else:
            route.fulfill(status=503, body="")

    page.route("**/v1/documents?*", documents)
    none = {"object": "list", "data": [], "has_more": False, "current": 0}
    page.route("**/v1/generations?*", lambda route: route.fulfill(json=none))
    page.reload()
    expect(page.locator("#library-status")).to_have_text("Getting ready…")
    state["ready"] = True
    expect(page.locator("#library-status")).to_have_text("0 documents · generation 0")
    expect(page.locator("#library-note")).to_contain_text("The library is empty.")
    assert violations(page) == []


def test_a_lost_service_is_told_and_what_was_listed_stays(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".entry")).to_have_count(3)
    page.route("**/v1/**", lambda route: route.abort())
    page.locator("#library-find").fill("ferry")
    expect(page.locator("#library-note")).to_contain_text("No connection to the service")
    expect(page.locator(".entry")).to_have_count(3)
    page.locator("#history summary").click()
    expect(page.locator("#history > .note")).to_contain_text("The generations could not be listed.")
    page.unroute("**/v1/**")
    expect(page.locator("#library-note")).to_have_text("1 document found.")


def test_pages_of_two_generations_are_not_mixed(visit: Visit, library: Path, live_server: str) -> None:
    numbers = write_files(library.parent / "sources", {f"n{n:02d}.txt": f"Number {n}." for n in range(20)})
    sync(library, HashingEmbedder(), [numbers])
    until(lambda: bool(httpx2.get(f"{live_server}/readyz").json()["generation"] == 3))
    page = visit()
    expect(page.locator("#library-status")).to_have_text("23 documents · generation 3")
    httpx2.delete(f"{live_server}/v1/documents/{document_id('dredger.md')}").raise_for_status()
    page.locator("#library-more").click()
    expect(page.locator("#library-status")).to_have_text("22 documents · generation 4")
    assert len(set(titles(page))) == len(titles(page))
    assert "A dredger" not in titles(page)
