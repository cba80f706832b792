"""The conversations that the chat page keeps, in a real browser."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import (
    PLAIN,
    Json,
    Visit,
    ask,
    body_of,
    citation,
    events,
    has_focus,
    kept,
    marked,
    reply,
    serve,
    two_quotes,
)


def answer_all(page: Page, **changes: Any) -> list[Json]:
    """Let the service answer every question; return the list that its requests are added to."""
    sent: list[Json] = []

    def answer(route: Route) -> None:
        sent.append(body_of(route))
        route.fulfill(body="".join(events(two_quotes(**changes))), content_type="text/event-stream")

    page.route("**/v1/ask", answer)
    page.route("**/v1/verify", lambda route: route.fulfill(json={"status": "verified"}))
    return sent


def listed(page: Page) -> Locator:
    """Open the list, unless it is open; return its conversations."""
    if not page.locator("#conversations").is_visible():
        page.get_by_role("button", name="Conversations", exact=True).click()
    return page.locator("#conversations-list li")


def titles(page: Page) -> list[str]:
    return listed(page).locator(".title").all_text_contents()


def stored(name: str, question: str, changed: object = 1, **changes: Any) -> str:
    """Return a statement that keeps a conversation of one question."""
    turn = {"question": question, "reply": two_quotes()}
    conversation = {"id": name, "title": None, "server": None, "changed": changed, "turns": [turn]} | changes
    return f"localStorage.setItem('citespan/1/{name}', {json.dumps(json.dumps(conversation))});"


# Going on


def test_conversation_goes_on_until_a_new_one_is_started(visit: Visit) -> None:
    page = visit()
    sent = answer_all(page, conversation_id="c-1", standalone_question="Whither does she sail?")
    ask(page, "When?")
    turn = ask(page, "And where to?")
    expect(turn.locator(".understood")).to_have_text("understood as: Whither does she sail?")
    expect(turn).to_contain_text("confidence 0.93")
    expect(page.locator("#intro")).to_be_hidden()
    page.locator("#new-conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#intro")).to_be_visible()
    ask(page, "When?")
    assert sent == [
        {"question": "When?"},
        {"question": "And where to?", "conversation_id": "c-1"},
        {"question": "When?"},
    ]


def test_a_conversation_that_the_service_forgot_goes_on_with_what_the_page_knows(visit: Visit) -> None:
    page = visit()
    sent: list[Json] = []

    def answer(route: Route) -> None:
        sent.append(body_of(route))
        gone = {"type": "urn:citespan:problem:unknown-conversation", "title": "Not Found", "status": 404}
        if "conversation_id" in sent[-1]:
            route.fulfill(status=404, json=gone, content_type="application/problem+json")
        else:
            route.fulfill(json=two_quotes(conversation_id="c-1" if len(sent) == 1 else ""))

    page.route("**/v1/ask", answer)
    ask(page, "When?")
    expect(ask(page, "And where from?").locator(".answer")).to_have_text("nine")
    expect(ask(page, "Why?").locator(".answer")).to_have_text("nine")

    said = {"answer": "The ferry leaves at nine.\nShe sails from the north pier."}
    assert sent == [
        {"question": "When?"},
        {"question": "And where from?", "conversation_id": "c-1"},
        {"question": "And where from?", "conversation": [{"question": "When?"} | said]},
        {"question": "Why?", "conversation": [{"question": "When?"} | said, {"question": "And where from?"} | said]},
    ]


def test_silence_is_told_to_the_service_as_no_answer(visit: Visit) -> None:
    page = visit()
    serve(page, reply(conversation_id=""), {})
    ask(page, "How deep?")
    with page.expect_request("**/v1/ask") as request:
        ask(page, "And how wide?")
    assert request.value.post_data_json == {
        "question": "And how wide?",
        "conversation": [{"question": "How deep?", "answer": None}],
    }


# Kept and listed


def test_conversations_are_listed_opened_and_gone_on_with_after_a_reload(visit: Visit) -> None:
    page = visit()
    sent = answer_all(page, conversation_id="c-1")
    expect(listed(page)).to_have_count(0)
    expect(page.locator("#conversations-note")).to_contain_text("No conversations yet.")
    page.keyboard.press("Escape")
    ask(page, "When does she leave?")
    page.locator("#new-conversation").click()
    ask(page, "What is the fare?")
    page.reload()

    expect(page.locator(".turn .question")).to_have_text(["What is the fare?"])
    expect(page.locator(".turn .answer")).to_have_text(["nine"])
    assert page.title().startswith("What is the fare?")
    assert titles(page) == ["What is the fare?", "When does she leave?"]
    expect(listed(page).first.locator(".title")).to_have_attribute("aria-current", "page")
    expect(listed(page).first.locator(".meta")).to_contain_text("1 question")
    listed(page).nth(1).locator(".title").click()

    expect(page.locator("#conversations")).to_be_hidden()
    expect(page.locator(".turn .question")).to_have_text(["When does she leave?"])
    serve(page, two_quotes(), {"made-up": PLAIN})
    page.locator(".turn .chip").first.click()
    assert marked(page, "span") == "The ferry leaves at nine."
    page.keyboard.press("Escape")
    answer_all(page, conversation_id="c-1")
    with page.expect_request("**/v1/ask") as request:
        ask(page, "And where from?")
    assert request.value.post_data_json == {"question": "And where from?", "conversation_id": "c-1"}
    assert [one["turns"][-1]["question"] for one in kept(page)] == ["And where from?", "What is the fare?"]
    assert len(sent) == 2


def test_the_browser_s_way_back_leads_to_the_conversation_before(visit: Visit) -> None:
    page = visit()
    answer_all(page)
    ask(page, "When?")
    page.locator("#new-conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    page.go_back()
    expect(page.locator(".turn .question")).to_have_text(["When?"])
    page.go_forward()
    expect(page.locator(".turn")).to_have_count(0)


def test_a_conversation_is_renamed_by_keyboard(visit: Visit) -> None:
    page = visit()
    answer_all(page)
    ask(page, "When?")
    listed(page).get_by_role("button", name="Rename “When?”").press("Enter")
    box = page.get_by_label("Title of the conversation")
    assert has_focus(box)
    page.keyboard.type("<b>Ferries</b>")
    page.keyboard.press("Enter")
    assert titles(page) == ["<b>Ferries</b>"]
    assert has_focus(listed(page).locator(".title"))

    listed(page).get_by_role("button", name="Rename").press("Enter")
    page.keyboard.type("never")
    page.keyboard.press("Escape")
    expect(page.locator("#conversations")).to_be_visible()
    assert titles(page) == ["<b>Ferries</b>"]
    page.keyboard.press("Escape")
    ask(page, "Where?")
    assert [one["title"] for one in kept(page)] == ["<b>Ferries</b>"]
    assert page.title() == "<b>Ferries</b> – Citespan"


def test_a_deleted_conversation_is_forgotten_by_the_service_too(visit: Visit) -> None:
    page = visit()
    answer_all(page, conversation_id="c/1")
    deleted: list[str] = []

    def forget(route: Route) -> None:
        deleted.append(f"{route.request.method} {route.request.url.rpartition('/v1/')[2]}")
        route.fulfill(status=204)

    page.route("**/v1/conversations/**", forget)
    ask(page, "When?")
    listed(page).get_by_role("button", name="Delete “When?”").click()
    page.get_by_role("button", name="Cancel").click()
    assert titles(page) == ["When?"]
    listed(page).get_by_role("button", name="Delete").click()
    page.locator("#sure").get_by_role("button", name="Delete").click()

    expect(listed(page)).to_have_count(0)
    expect(page.locator(".turn")).to_have_count(0)
    assert kept(page) == []
    assert deleted == ["DELETE conversations/c%2F1"]


def test_all_conversations_are_deleted_at_once(visit: Visit) -> None:
    page = visit()
    answer_all(page)
    for question in ("When?", "Where?", "Why?"):
        ask(page, question)
        page.locator("#new-conversation").click()
    assert titles(page) == ["Why?", "Where?", "When?"]
    page.get_by_role("button", name="Delete all conversations").click()
    expect(page.locator("#sure")).to_contain_text("Delete 3 conversations?")
    page.locator("#sure").get_by_role("button", name="Delete all").click()
    expect(listed(page)).to_have_count(0)
    assert kept(page) == []


def test_a_question_without_a_reply_is_kept_to_be_asked_again(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/ask", lambda route: route.abort())
    ask(page, "When?")
    page.reload()
    turn = page.locator(".turn")
    expect(turn).to_contain_text("This question was not answered.")
    answer_all(page)
    turn.get_by_role("button", name="Ask again").click()
    expect(turn.locator(".answer")).to_have_text("nine")


def test_a_reply_that_quotes_what_was_purged_is_not_kept(visit: Visit) -> None:
    page = visit(before=stored("a", "When?"))
    page.route("**/v1/verify", lambda route: route.fulfill(json={"status": "purged"}))
    listed(page).locator(".title").click()
    expect(page.locator(".turn")).to_contain_text("A document that this reply quoted was purged.")
    assert "ferry" not in page.evaluate("localStorage['citespan/1/a']")


def test_replies_from_an_earlier_library_say_so(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(generation=1), {})
    first = ask(page, "When?")
    expect(first.locator(".outdated")).to_have_count(0)
    serve(page, two_quotes(generation=2), {})
    first = page.locator(".turn").first
    ask(page, "Where?")
    expect(first.locator(".outdated")).to_contain_text("this is from generation 1, it is now at 2")
    expect(page.locator(".outdated")).to_have_count(1)
    first.locator(".outdated").get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn .question")).to_have_text(["When?", "Where?", "When?"])


# Storage that is damaged, full or not there


@pytest.mark.parametrize(
    "damage",
    [
        "localStorage.setItem('citespan/1/b', '{\"id\": \"b\"');",
        "localStorage.setItem('citespan/1/b', '[]');",
        "localStorage.setItem('citespan/1/b', 'null');",
        stored("b", "Broken?", turns=[]),
        stored("b", "Broken?", turns=[{"question": 7, "reply": None}]),
        stored("b", "Broken?", turns=[{"question": "Broken?", "reply": {"citations": 5}}]),
        stored("b", "Broken?", changed="yesterday"),
        stored("c", "Broken?").replace("citespan/1/c", "citespan/1/b"),
    ],
)
def test_damaged_storage_costs_only_what_is_damaged(visit: Visit, damage: str) -> None:
    page = visit(before=stored("a", "When?") + "localStorage.setItem('another/page', '{');" + damage)
    assert titles(page) == ["When?"]
    listed(page).locator(".title").click()
    expect(page.locator(".turn .answer")).to_have_text("nine")
    assert page.evaluate("localStorage.getItem('another/page')") == "{"


def test_a_reply_that_cannot_be_shown_leaves_the_others(visit: Visit) -> None:
    strange = two_quotes() | {"citations": [citation(PLAIN, "The ferry leaves at nine.") | {"quote": None}]}
    turns = [{"question": "Strange?", "reply": strange}, {"question": "When?", "reply": two_quotes()}]
    page = visit(before=stored("a", "", turns=turns))
    page.route("**/v1/verify", lambda route: route.fulfill(json={"status": "verified"}))
    listed(page).locator(".title").click()
    expect(page.locator(".turn").first.locator(".problem")).to_contain_text("The reply cannot be shown")
    expect(page.locator(".turn").nth(1).locator(".answer")).to_have_text("nine")


def test_a_browser_that_keeps_nothing_still_lists_what_was_asked(visit: Visit) -> None:
    private = "Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('no'); } })"
    page = visit(before=private)
    answer_all(page)
    ask(page, "When?")
    page.locator("#new-conversation").click()
    assert titles(page) == ["When?"]
    expect(page.locator("#conversations-note")).to_contain_text("until the page is closed")
    listed(page).locator(".title").click()
    expect(page.locator(".turn .answer")).to_have_text("nine")


def test_where_storage_is_full_the_oldest_make_way(visit: Visit) -> None:
    full = """(() => {
      const real = Storage.prototype.setItem;
      Storage.prototype.setItem = function (key, value) {
        const others = Object.keys(this).filter((one) => one.startsWith("citespan/1/") && one !== key);
        if (others.length >= 2 && value !== "") throw new DOMException("full", "QuotaExceededError");
        real.call(this, key, value);
      };
    })();"""
    page = visit(before=full)
    answer_all(page)
    for question in ("One?", "Two?", "Three?"):
        ask(page, question)
        page.locator("#new-conversation").click()
    assert titles(page) == ["Three?", "Two?"]


def test_what_is_kept_is_bounded(visit: Visit) -> None:
    page = visit()
    lengths = page.evaluate("""async () => {
      const { Kept } = await import("/static/kept.js");
      const kept = new Kept();
      const put = (id, changed, question, turns) => {
        const all = Array.from({ length: turns }, (_, at) => ({ question: `${question}${at}`, reply: null }));
        kept.put({ id, title: null, server: null, changed, turns: all });
      };
      for (let at = 0; at < 60; at += 1) put(`n${at}`, at, "short", 1);
      const many = kept.all().map(({ id }) => id);
      put("long", 100, "x", 80);
      const turns = kept.get("long").turns;
      for (let at = 0; at < 5; at += 1) put(`large${at}`, 200 + at, "y".repeat(600_000), 1);
      return [many.length, many[0], many.at(-1), turns.length, turns.at(-1).question, kept.all().map(({ id }) => id)];
    }""")
    assert lengths == [50, "n59", "n10", 50, "x79", ["large4", "large3", "large2"]]


def test_an_address_of_a_conversation_that_is_not_here_is_a_new_one(visit: Visit) -> None:
    page = visit()
    page.goto(re.sub(r"#.*|$", "#c=none", page.url, count=1))
    expect(page.locator("#announcer")).to_have_text("This conversation is not kept in this browser.")
    expect(page.locator("#intro")).to_be_visible()
    assert "#" not in page.url
