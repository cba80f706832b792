"""Asking on the chat page, in a real browser: by keyboard, stopped, and when it goes wrong."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import (
    HELD_STREAMS,
    PLAIN,
    Held,
    Visit,
    ask,
    event,
    events,
    has_focus,
    hit,
    marked,
    serve,
    two_quotes,
)  # fmt: skip


def test_shift_enter_starts_a_line_and_only_words_are_sent(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {})
    box = page.get_by_label("Ask the documents")
    box.press("Enter")
    box.press("Shift+Enter")
    box.press("Enter")
    expect(page.locator(".turn")).to_have_count(0)

    box.fill("")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")

    assert page.locator(".turn .question").text_content() == "one\ntwo"
    expect(box).to_have_value("")


def test_counter_appears_near_the_limit(visit: Visit) -> None:
    page = visit()
    box = page.locator("#question")
    box.fill("x" * 1799)
    expect(page.locator("#ask-count")).to_be_hidden()
    box.press_sequentially("y")
    expect(page.locator("#ask-count")).to_have_text("1,800 of 2,000 characters")
    box.fill("x" * 2000)
    box.press_sequentially("y")
    expect(box).to_have_value("x" * 2000)


def test_new_replies_are_announced_in_a_log(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {})
    ask(page, "When?")
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log.get_by_role("article", name="When?")).to_contain_text("nine")


def test_a_problem_is_told_and_the_question_kept_to_be_sent_again(visit: Visit) -> None:
    page = visit()
    problem = {
        "type": "about:blank",
        "title": "Not a question",
        "status": 422,
        "detail": "The question is too long.",
        "errors": [{"pointer": "/question", "detail": "at most 10 characters"}],
    }
    page.route(
        "**/v1/ask",
        lambda route: route.fulfill(status=422, json=problem, content_type="application/problem+json"),
    )
    turn = ask(page, "When does the ferry leave?")
    expect(turn.locator(".problem")).to_contain_text("Not a question")
    expect(turn.locator(".problem")).to_contain_text("The question is too long.")
    expect(turn.locator(".problem li")).to_have_text("/question: at most 10 characters")

    turn.get_by_role("button", name="Edit the question").click()
    expect(page.locator("#question")).to_have_value("When does the ferry leave?")
    assert has_focus(page.locator("#question"))
    serve(page, two_quotes(), {})
    turn.get_by_role("button", name="Ask again").click()
    expect(turn.locator(".answer")).to_have_text("nine")
    expect(turn.locator(".question")).to_have_text("When does the ferry leave?")
    expect(page.locator(".turn")).to_have_count(1)


def test_loss_of_the_network_and_a_service_not_ready_are_told_apart(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/ask", lambda route: route.abort())
    expect(ask(page, "When?").locator(".problem")).to_contain_text("No connection to the service")
    page.route("**/v1/ask", lambda route: route.fulfill(status=503, body="busy", content_type="text/plain"))
    expect(ask(page, "When?").locator(".problem")).to_contain_text("The service cannot answer just now")
    page.route("**/v1/ask", lambda route: route.fulfill(body="<p>not JSON", content_type="text/html"))
    expect(ask(page, "When?").locator(".problem")).to_contain_text("something that is not a reply")


# As it is found

HITS = [hit(PLAIN, "Ferry times"), hit(PLAIN, "The <b>pier</b>"), hit(PLAIN, "Ferry times")]
FOUND, FIRST, SECOND, ANSWER, DONE = events(two_quotes(), HITS)


def begin(page: Page) -> Locator:
    """Ask without waiting for the reply; return the turn."""
    page.locator("#question").fill("When?")
    page.locator("#question").press("Enter")
    return page.locator(".turn").last


def test_what_is_read_and_each_quote_is_seen_before_the_reply_is_whole(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    held = Held(page, 0)
    assert held.request == {"question": "When?"}
    expect(turn.locator(".waiting")).to_contain_text("Looking through the documents…")

    held.send(FOUND)
    expect(turn.locator(".waiting .note")).to_have_text("Reading 3 passages of Ferry times and The <b>pier</b>…")
    expect(page.locator("#announcer")).to_contain_text("Reading 3 passages")
    held.send(": ping\n\n", FIRST)
    expect(turn.locator(".words")).to_have_text(["The ferry leaves at nine."])
    expect(turn.locator(".reply")).to_have_attribute("aria-busy", "true")
    held.send(SECOND)
    expect(turn.locator(".words")).to_have_text(["The ferry leaves at nine.", "She sails from the north pier."])
    expect(turn.locator(".answer")).to_have_count(0)

    held.send(ANSWER)
    expect(turn.locator(".answer")).to_have_text("nine")
    expect(turn.locator(".words")).to_have_count(2)
    expect(turn.locator(".reply")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#send")).to_be_enabled()


def test_a_quote_that_came_ahead_opens_its_source(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    serve(page, {}, {"made-up": PLAIN})
    turn = begin(page)
    Held(page, 0).send(FOUND, FIRST)
    turn.locator(".chip").click()
    assert marked(page, "span") == "The ferry leaves at nine."


def test_a_lost_stream_is_taken_up_where_it_broke_off(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    first = Held(page, 0)
    first.send(FOUND, FIRST, SECOND[:40])
    first.drop()
    again = Held(page, 1)
    assert (first.last, again.last) == (None, "s:2")
    assert again.request == first.request
    again.send(SECOND, ANSWER)
    expect(turn.locator(".answer")).to_have_text("nine")
    expect(turn.locator(".words")).to_have_count(2)


def test_a_stream_that_ends_early_is_taken_up_too_and_its_second_loss_is_told(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    first = Held(page, 0)
    first.send(FOUND)
    first.end()
    again = Held(page, 1)
    again.send(FIRST)
    again.drop()
    expect(turn.locator(".problem")).to_contain_text("The connection to the service was lost")
    turn.get_by_role("button", name="Ask again").click()
    assert Held(page, 2).last is None


def test_a_service_that_was_restarted_meanwhile_is_asked_anew(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    first = Held(page, 0)
    first.send(FOUND, FIRST)
    first.drop()
    Held(page, 1).refuse(422, "unknown-stream")
    anew = Held(page, 2)
    assert anew.last is None
    anew.send(FOUND, FIRST, SECOND, ANSWER)
    expect(turn.locator(".answer")).to_have_text("nine")
    expect(turn.locator(".words")).to_have_count(2)


def test_an_error_within_the_stream_is_told_as_a_problem(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    problem = {"type": "urn:citespan:problem:purged", "title": "Gone", "status": 410, "detail": "it was purged"}
    Held(page, 0).send(FOUND, event("error", problem, 2))
    expect(turn.locator(".problem")).to_contain_text("Gone")
    expect(turn.locator(".problem")).to_contain_text("It was purged.")


def test_to_stop_ends_the_stream(visit: Visit) -> None:
    page = visit(before=HELD_STREAMS)
    turn = begin(page)
    held = Held(page, 0)
    held.send(FOUND, FIRST)
    expect(turn.locator(".words")).to_have_count(1)
    turn.get_by_role("button", name="Stop").click()
    expect(turn).to_contain_text("Stopped.")
    expect(turn.locator(".words")).to_have_count(0)
    assert held.stopped is True
    assert page.evaluate("streams.length") == 1


READ_EVENTS = """async ([bytes, size]) => {
  const { events } = await import("/static/stream.js");
  const all = new TextEncoder().encode(bytes);
  const body = new ReadableStream({
    start(control) {
      for (let at = 0; at < all.length; at += size) control.enqueue(all.slice(at, at + size));
      control.close();
    },
  });
  const found = [];
  for await (const { event, id, data } of events(body, 5000)) found.push([event, id, data]);
  return found;
}"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_their_bytes_are_cut(visit: Visit, size: int) -> None:
    page = visit()
    stream = (
        "\ufeff: a comment\r\n\r\nevent: one\r\nid: s:1\r\ndata: 🚢 first\r\ndata:second\r\n\r\n"
        "data:  two: it is\rignored\r\r"
        "id: 3\n\nid\ndata\n\nretry: 5\nevent: last\nid: 4\ndata: x\n\ndata: cut off\n"
    )
    assert page.evaluate(READ_EVENTS, [stream, size]) == [
        ["one", "s:1", "🚢 first\nsecond"],
        ["message", "s:1", " two: it is"],
        ["message", "", ""],
        ["last", "4", "x"],
    ]


# One at a time


def test_one_question_at_a_time_and_it_can_be_stopped(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/ask", lambda route: None)
    box = page.locator("#question")
    box.fill("When?")
    box.press("Enter")
    expect(page.locator("#send")).to_be_disabled()
    expect(page.locator("#ask")).to_have_attribute("aria-busy", "true")
    box.fill("Where?")
    box.press("Enter")
    expect(box).to_have_value("Where?")
    expect(page.locator(".turn")).to_have_count(1)

    page.get_by_role("button", name="Stop").click()

    expect(page.locator(".turn")).to_contain_text("Stopped.")
    expect(page.locator("#send")).to_be_enabled()
    assert has_focus(box)
