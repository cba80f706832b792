"""The chat page on any screen, in any colours, and for those who do not see it, in a real browser.

Where CITESPAN_SHOTS names a folder, pictures of every state are written there.
"""

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import (
    HELD_STREAMS,
    PLAIN,
    Held,
    Visit,
    ask,
    citation,
    events,
    has_focus,
    hit,
    kept,
    marked,
    reply,
    serve,
    shoot,
    two_quotes,
    violations,
)

Scheme = Literal["light", "dark"]

SCREENS = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 360, "height": 740, "has_touch": True}}
TEXT = "The council voted on Tuesday to close the north pier.\n\nAnna Berg runs the ferry.\n" + PLAIN


def answered(page: Page) -> None:
    """An answer with all that can stand beside a quote."""
    day = {"text": "Tuesday", "start": 21, "end": 28, "from": "2026-01-06", "to": "2026-01-06"}
    about = {"quote": "Anna Berg runs the ferry.", "start": 55, "end": 80}
    quotes = [
        citation(TEXT, "The council voted on Tuesday to close the north pier.", "Tuesday", dates=[day], page=3),
        citation(TEXT, "She sails from the north pier.", number=2, context=about, publisher=None, published_at=None),
    ]
    serve(page, reply(short_answer="Tuesday", citations=quotes, standalone_question="When was it?"), {"made-up": TEXT})
    turn = ask(page, "And when?")
    turn.locator(".copies summary").click()
    turn.get_by_role("button", name="Verify all quotes").click()
    expect(turn.get_by_text("All 2 quotes are verified in this browser.")).to_be_visible()


def source_open(page: Page) -> None:
    answered(page)
    page.locator(".turn .chip").first.click()
    assert marked(page, "short") == "Tuesday"
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_be_visible()
    page.locator("#source summary").click()


def differing(page: Page) -> None:
    sides = [
        {"value": value, "citations": [number], "documents": 2, "independent": 1}
        | {"published_from": "2026-01-06", "published_to": "2026-01-10"}
        for number, value in enumerate(("nine", "half past ten"), start=1)
    ]
    serve(page, two_quotes(sides=sides, sources_differ=True), {"made-up": PLAIN})
    ask(page, "When?")


def silent(page: Page) -> None:
    serve(page, reply(nearest=[citation(PLAIN, "She sails from the north pier.")]), {"made-up": PLAIN})
    ask(page, "Who?").locator(".chip").click()
    assert marked(page, "span") == "She sails from the north pier."
    page.keyboard.press("Escape")


def outdated(page: Page) -> None:
    serve(page, two_quotes(generation=1), {})
    ask(page, "When?")
    serve(page, two_quotes(generation=2), {})
    ask(page, "When now?")
    page.locator(".turn").first.scroll_into_view_if_needed()
    expect(page.locator(".outdated")).to_be_visible()


def failed(page: Page) -> None:
    problem = {"title": "Not a question", "status": 422, "detail": "too long", "errors": ["at most 10 characters"]}
    page.route(
        "**/v1/ask", lambda route: route.fulfill(status=422, json=problem, content_type="application/problem+json")
    )
    ask(page, "Why?")


def listed(page: Page) -> None:
    serve(page, two_quotes(), {})
    for question in ("When does the ferry leave?", "Where does she sail from, and what is the fare on Sundays?"):
        ask(page, question)
        page.locator("#new-conversation").click()
    page.get_by_role("button", name="Conversations", exact=True).click()
    page.locator("#conversations-list").get_by_role("button", name="Rename").last.click()


def deleting(page: Page) -> None:
    listed(page)
    page.get_by_role("button", name="Delete all conversations").click()


STATES: list[Callable[[Page], None]] = [
    answered, source_open, differing, silent, outdated, failed, listed, deleting,
]  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_by_any_state_of_the_page(visit: Visit, scheme: Scheme, screen: str) -> None:
    size: dict[str, Any] = SCREENS[screen]
    for state in STATES:
        page = visit(color_scheme=scheme, reduced_motion="reduce", **size)
        state(page)
        shoot(page, f"{state.__name__}-{screen}-{scheme}")
        assert (state.__name__, violations(page)) == (state.__name__, [])
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out_while_a_reply_arrives(visit: Visit, scheme: Scheme) -> None:
    page = visit(color_scheme=scheme, reduced_motion="reduce", before=HELD_STREAMS)
    shoot(page, f"home-wide-{scheme}")
    assert violations(page) == []
    page.locator("#question").fill("When?")
    page.locator("#question").press("Enter")
    Held(page, 0).send(*events(two_quotes(), [hit(PLAIN, "Ferry times"), hit(PLAIN, "The pier")])[:2])
    expect(page.locator(".turn .words")).to_have_count(1)
    shoot(page, f"reading-wide-{scheme}")
    assert violations(page) == []


def test_nothing_is_wider_than_a_small_phone(visit: Visit) -> None:
    page = visit(width=360, height=640, has_touch=True, is_mobile=True)
    endless = "Endless" * 30
    text = f"{endless} is a word.\n"
    sides = [{"value": endless, "citations": [1], "documents": 2, "independent": 1}]
    sides.append({"value": "Brevity", "citations": [2], "documents": 1, "independent": 1})
    source = citation(
        text,
        f"{endless} is a word.",
        title=endless,
        publisher=endless,
        uri=f"https://a.example/{endless}",
        context={"quote": endless, "start": 0, "end": 210},
        dates=[{"text": endless, "start": 0, "end": 210, "from": "2026-01-06", "to": "2026-01-06"}],
    )
    both = [source, source | {"number": 2, "publisher": None, "published_at": None}]
    silence = reply(nearest=[source], standalone_question=endless)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= 360 && visualViewport.scale === 1"))

    assert fits()
    serve(page, reply(citations=both, short_answer=endless), {"made-up": text})
    ask(page, endless).locator(".copies summary").click()
    assert fits()
    serve(page, reply(citations=both, sides=sides, sources_differ=True), {"made-up": text})
    ask(page, endless)
    assert fits()
    page.locator(".turn .chip").last.click()
    assert marked(page, "span") == source["quote"]
    page.locator("#source summary").click()
    assert fits()
    assert page.locator("#source").bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 640}
    assert page.evaluate("document.querySelector('#source').matches(':modal')")
    page.locator("#source-close").click()
    assert has_focus(page.locator(".turn .chip").last)
    serve(page, silence, {"made-up": text})
    ask(page, "And?")
    assert fits()
    page.get_by_role("button", name="Conversations", exact=True).click()
    expect(page.locator("#conversations-list .title")).to_have_text(endless)
    assert page.evaluate("document.querySelector('#conversations').scrollWidth <= 360")
    assert fits()


def test_colours_are_the_system_s_until_others_are_chosen(visit: Visit) -> None:
    page = visit(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light != dark

    page.get_by_role("button", name="Conversations", exact=True).click()
    assert page.get_by_role("radio", name="As the system").is_checked()
    page.get_by_role("radio", name="Light").check()
    assert page.evaluate(paper) == light
    page.reload()
    assert page.evaluate(paper) == light
    page.get_by_role("button", name="Conversations", exact=True).click()
    assert page.get_by_role("radio", name="Light").is_checked()
    page.get_by_role("radio", name="As the system").check()
    assert page.evaluate(paper) == dark


def test_nothing_moves_for_those_who_asked_for_stillness(visit: Visit) -> None:
    page = visit(reduced_motion="reduce", before=HELD_STREAMS)
    page.locator("#question").fill("When?")
    page.locator("#question").press("Enter")
    Held(page, 0).send(*events(two_quotes())[:2])
    expect(page.locator(".waiting")).to_be_visible()
    expect(page.locator(".found .words")).to_have_count(1)
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_what_is_marked_is_seen_in_the_system_s_own_colours_too(visit: Visit) -> None:
    page = visit(forced_colors="active")
    serve(page, two_quotes(), {"made-up": PLAIN})
    turn = ask(page, "When?")
    shoot(page, "answered-forced")
    style = "node => getComputedStyle(node)"
    assert turn.locator(".answer mark").evaluate(f"{style}.textDecorationLine") == "underline"
    assert turn.locator(".words mark.short").evaluate(f"{style}.outlineStyle") == "solid"
    assert turn.locator(".chip").first.evaluate(f"{style}.borderTopStyle") == "solid"


def test_the_page_is_walked_in_the_order_in_which_it_is_read(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {"made-up": PLAIN})
    ask(page, "When?")
    page.locator(".turn .chip").first.focus()
    walked = []
    for _ in range(7):
        walked.append(page.evaluate("document.activeElement.innerText || document.activeElement.id").split("\n")[0])
        page.keyboard.press("Tab")
    assert [name[:3] for name in walked[:2]] == ["[1]", "[2]"]
    assert walked[2:] == ["Verify all quotes", "Copy with citations", "Copy receipt", "question", "Ask"]


def test_the_whole_conversation_is_had_by_keyboard(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {"made-up": PLAIN})
    assert has_focus(page.locator("#question"))
    page.keyboard.type("When?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn .answer")).to_have_text("nine")
    page.locator("#conversations-toggle").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#conversations")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#conversations")).to_be_hidden()
    expect(page.locator(".turn")).to_have_count(0)
    assert has_focus(page.locator("#question"))
    page.keyboard.type("Where?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn .answer")).to_have_text("nine")
    assert len(kept(page)) == 2
    page.locator("#conversations-toggle").press("Enter")
    page.locator("#conversations-list .title").last.press("Enter")
    expect(page.locator(".turn .question")).to_have_text(["When?"])
    assert has_focus(page.locator("#question"))
