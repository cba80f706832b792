"""The source panel of the chat page, in a real browser: the quoted words in their text, and their proof."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser import PLAIN, Json, Visit, ask, body_of, citation, has_focus, marked, reply, serve, two_quotes


def test_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {"made-up": PLAIN})
    page.locator("#question").focus()
    page.keyboard.type("When does she leave?")
    page.keyboard.press("Enter")
    chips = page.locator(".quotes .chip")
    expect(chips).to_have_count(2)
    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if has_focus(chips.first):
            break
    page.keyboard.press("Enter")
    assert marked(page, "span") == "The ferry leaves at nine."

    page.keyboard.press("ArrowRight")
    expect(page.locator("#source-text mark.span")).to_have_text("She sails from the north pier.")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#source-kind")).to_have_text("Citation [2], 2 of 2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#source-text mark.span")).to_have_text("The ferry leaves at nine.")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")

    expect(page.locator("#source")).to_be_hidden()
    assert has_focus(chips.nth(1))


def test_highlight_is_right_after_and_within_astral_characters(visit: Visit) -> None:
    page = visit()
    quote = "The 𝒩orth 🚢 sails at nine 𝕒𝕞."
    text = f"\ufeff🌊🌊🌊 Timetable 👩‍👩‍👧 \n🚢 {quote} 🌙 Then she rests.\n"
    source = citation(text, quote, "nine 𝕒𝕞")
    serve(page, reply(short_answer="nine 𝕒𝕞", citations=[source]), {"made-up": text})

    turn = ask(page, "When?")
    turn.locator(".quotes .chip").click()

    assert turn.locator(".quotes mark.short").text_content() == "nine 𝕒𝕞"
    assert marked(page, "span") == quote
    assert marked(page, "short") == "nine 𝕒𝕞"
    assert page.locator("#source-text").text_content() == text
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text("Verified in this browser.")


def test_a_quote_over_several_lines_is_marked_whole(visit: Visit) -> None:
    page = visit()
    quote = "leaves at nine.\nShe sails from the north pier.\nThe fare"
    serve(page, reply(citations=[citation(PLAIN, quote, "nine.\nShe")]), {"made-up": PLAIN})
    ask(page, "When?").locator(".quotes .chip").click()
    assert marked(page, "span") == quote
    assert marked(page, "short") == "nine.\nShe"


def test_only_web_addresses_are_links(visit: Visit) -> None:
    page = visit()
    address = "https://news.example/a?b=c#d"
    serve(page, reply(citations=[citation(PLAIN, "The fare is four crowns.", uri=address)]), {"made-up": PLAIN})
    ask(page, "How much?").locator(".quotes .chip").click()
    link = page.locator("#source-meta a")
    expect(link).to_have_text(address)
    expect(link).to_have_attribute("href", address)
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_a_text_that_is_not_what_was_quoted_is_called_out(visit: Visit) -> None:
    page = visit()
    changed = PLAIN.replace("nine", "four")
    serve(page, two_quotes(), {"made-up": changed})
    ask(page, "When?").locator(".quotes .chip").first.click()

    assert marked(page, "span") == ""
    expect(page.locator("#source-warning")).to_contain_text("is not the quote")
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text("Does not match.")


def test_a_source_that_is_gone_leaves_its_quote(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {})
    gone = {"title": "Purged", "status": 410, "detail": "This document was purged."}
    page.route(
        re.compile("/text"), lambda route: route.fulfill(status=410, json=gone, content_type="application/problem+json")
    )
    page.route("**/v1/verify", lambda route: route.fulfill(json={"status": "purged"}))
    ask(page, "When?").locator(".quotes .chip").first.click()

    expect(page.locator("#source-warning")).to_have_text("Purged. This document was purged.")
    expect(page.locator("#source-text")).to_have_text("The ferry leaves at nine.")
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text("The document was purged from the library.")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("verified", "Verified by the service."),
        ("drifted", "The document has changed since it was quoted."),
        ("unknown", "The service does not know this citation."),
    ],
)
def test_service_verifies_where_the_browser_cannot_hash(visit: Visit, status: str, words: str) -> None:
    insecure = "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined })"
    page = visit(before=insecure)
    answer = two_quotes()
    serve(page, answer, {"made-up": PLAIN})
    sent: list[Json] = []

    def verify(route: Route) -> None:
        sent.append(body_of(route))
        route.fulfill(json={"status": status})

    page.route("**/v1/verify", verify)
    ask(page, "When?").locator(".quotes .chip").first.click()
    assert marked(page, "short") == "nine"
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text(words)
    assert sent == [answer["citations"][0]]
