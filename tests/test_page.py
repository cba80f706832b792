"""The chat page in a real browser: what a person sees, reaches by keyboard, and can check."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, Route, expect, sync_playwright

Json = dict[str, Any]
Visit = Callable[..., Page]

STATIC = Path(__file__).resolve().parent.parent / "api" / "static"
LARGEST_PAGE = 100_000
LAUNCH = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

ANSWERED = "Which news agency reported on January 10 that Japanese companies would get no new contracts?"
UNANSWERED = "At what temperature does tungsten melt?"

NETWORK_NOISE = "Failed to load resource"
"""What Chromium itself says of every error status; the tests of error states cause them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs the system's Chromium (a program named chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*LAUNCH, "--disable-sync", "--no-first-run"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, live_server: str) -> Iterator[Visit]:
    """Open the page in a browser of its own; afterwards nothing may have failed or been forbidden in it."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def refuse(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def visit(*, width: int = 1280, height: int = 800, before: str = "", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("dialog", refuse)
        if before:
            page.add_init_script(before)
        page.goto(live_server)
        expect(page.locator("#library-status")).to_contain_text("document")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [text for text in complaints if NETWORK_NOISE not in text] == []


def ask(page: Page, question: str) -> Locator:
    """Type the question, press Enter, and return the new turn once the reply (or a problem) stands in it."""
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    turn = page.locator(".turn").last
    expect(turn.locator(".question")).to_have_text(question)
    expect(turn.locator(".waiting")).to_have_count(0)
    return turn


def marked(page: Page, name: str) -> str:
    """Return what is marked in the source panel, once its text is there."""
    expect(page.locator("#source-text .page")).to_be_visible()
    return "".join(page.locator(f"#source-text mark.{name}").all_text_contents())


def has_focus(locator: Locator) -> bool:
    return bool(locator.evaluate("node => node === document.activeElement"))


def body_of(route: Route) -> Json:
    body: Json = json.loads(route.request.post_data or "{}")
    return body


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def citation(text: str, quote: str, short: str = "", **changes: Any) -> Json:
    """Return a true citation of the first place of `quote` in `text`, with `short` as its highlight."""
    start = text.index(quote)
    byte_start = len(text[:start].encode())
    short_start = start + quote.index(short)
    return {
        "number": 1,
        "document_id": "made-up",
        "revision": f"sha256:{sha256(text)}",
        "title": "A made-up document",
        "uri": "notes/made-up.txt",
        "publisher": "The tests",
        "author": None,
        "published_at": "2026-01-10",
        "page": None,
        "quote": quote,
        "start": start,
        "end": start + len(quote),
        "byte_start": byte_start,
        "byte_end": byte_start + len(quote.encode()),
        "quote_sha256": sha256(quote),
        "highlight": {"start": short_start, "end": short_start + len(short)} if short else None,
        "answer_start": 0,
        "answer_end": len(quote),
    } | changes


def reply(**changes: Any) -> Json:
    """Return a reply of the service; without changes it holds no answer."""
    return {
        "id": "made-up-reply",
        "answerable": bool(changes.get("citations")),
        "answer": None,
        "short_answer": None,
        "confidence": 0.93,
        "risk": {"target": 0.2, "threshold": 0.61},
        "question": "?",
        "standalone_question": None,
        "conversation_id": None,
        "citations": [],
        "sides": [],
        "sources_differ": False,
        "nearest": [],
        "generation": None,
        "receipt": "made-up",
        "timings_ms": {},
    } | changes


def serve(page: Page, answer: Json, texts: Mapping[str, str]) -> None:
    """Let the service give this reply to every question, and these texts (by document id)."""

    def text(route: Route) -> None:
        document = route.request.url.split("/documents/")[1].split("/")[0]
        route.fulfill(content_type="text/plain; charset=utf-8", body=texts[document])

    page.route("**/v1/ask", lambda route: route.fulfill(json=answer))
    page.route(re.compile(r"/v1/documents/[^/]+/text"), text)


# With the real service


def test_every_chip_opens_the_source_at_exactly_the_quoted_words(visit: Visit) -> None:
    page = visit()
    with page.expect_response("**/v1/ask") as response:
        turn = ask(page, ANSWERED)
    answer = response.value.json()

    assert answer["answerable"] is True
    quotes = turn.locator(".quotes li")
    assert quotes.locator(".words").all_text_contents() == [source["quote"] for source in answer["citations"]]
    for place, source in enumerate(answer["citations"]):
        quotes.nth(place).locator(".chip").click()
        expect(page.locator("#source-title")).to_have_text(source["title"])
        expect(page.locator("#source-kind")).to_contain_text(f"[{source['number']}]")
        expect(page.locator("#source-text mark.span").first).to_be_in_viewport()
        assert marked(page, "span") == source["quote"]
        page.locator("#verify").click()
        expect(page.locator("#verdict strong")).to_have_text("Verified in this browser.")
        page.keyboard.press("Escape")


def test_short_answer_is_the_same_words_in_the_answer_the_quote_and_the_source(visit: Visit) -> None:
    page = visit()
    with page.expect_response("**/v1/ask") as response:
        turn = ask(page, ANSWERED)
    answer = response.value.json()
    first = answer["citations"][0]
    highlight = first["highlight"]
    words = first["quote"][highlight["start"] - first["start"] : highlight["end"] - first["start"]]

    assert turn.locator(".quotes li").first.locator("mark.short").inner_text() == words
    turn.locator(".quotes .chip").first.click()
    assert marked(page, "short") == words
    if not answer["sources_differ"]:
        expect(turn.locator(".answer")).to_have_text(answer["short_answer"])


def test_escape_closes_the_source_and_gives_the_focus_back_to_the_chip(visit: Visit) -> None:
    page = visit()
    turn = ask(page, ANSWERED)
    chip = turn.locator(".quotes .chip").first
    chip.click()
    expect(page.locator("#source")).to_be_visible()
    assert has_focus(page.locator("#source-text"))

    page.keyboard.press("Escape")

    expect(page.locator("#source")).to_be_hidden()
    assert has_focus(chip)


def test_says_that_the_sources_do_not_say_and_marks_what_is_near_as_no_answer(visit: Visit) -> None:
    page = visit()
    turn = ask(page, UNANSWERED)

    expect(turn.locator(".silence")).to_have_text("The sources do not say.")
    expect(turn.locator(".answer")).to_have_count(0)
    expect(turn.locator(".near .badge")).to_have_text("not an answer")
    near = turn.locator(".near li").first
    near.locator(".chip").click()
    expect(page.locator("#source-kind")).to_contain_text("not an answer")
    assert marked(page, "span") == near.locator(".words").text_content()


def test_library_is_listed_and_its_documents_open(visit: Visit, live_server: str) -> None:
    page = visit()
    library = page.request.get(f"{live_server}/v1/documents?limit=100").json()
    titles = page.locator("#library-list .title")

    assert titles.all_text_contents() == [row["title"] for row in library["data"]][: titles.count()]
    titles.first.click()
    expect(page.locator("#source-title")).to_have_text(library["data"][0]["title"])
    expect(page.locator("#source-text .page")).not_to_be_empty()
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_have_text("Verified in this browser.")
    page.keyboard.press("Escape")
    assert has_focus(titles.first)


# By keyboard, on any screen, in any colours

PLAIN = "The ferry leaves at nine.\nShe sails from the north pier.\nThe fare is four crowns.\n"


def two_quotes() -> Json:
    first = citation(PLAIN, "The ferry leaves at nine.", "nine")
    second = citation(PLAIN, "She sails from the north pier.", number=2)
    return reply(short_answer="nine", citations=[first, second])


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


def test_nothing_is_wider_than_a_small_phone(visit: Visit) -> None:
    page = visit(width=360, height=640, has_touch=True, is_mobile=True)
    endless = "Endless" * 30
    text = f"{endless} is a word.\n"
    sides = [{"value": endless, "citations": [1], "documents": 2, "independent": 1}]
    sides.append({"value": "Brevity", "citations": [2], "documents": 1, "independent": 1})
    source = citation(
        text, f"{endless} is a word.", title=endless, publisher=endless, uri=f"https://a.example/{endless}"
    )
    differ = reply(citations=[source, source | {"number": 2}], sides=sides, sources_differ=True)
    silent = reply(nearest=[source], standalone_question=endless)

    def fits() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth <= 360 && visualViewport.scale === 1"))

    assert fits()
    serve(page, differ, {"made-up": text})
    ask(page, endless)
    assert fits()
    page.locator(".turn .chip").first.click()
    assert marked(page, "span") == source["quote"]
    page.locator("summary").click()
    assert fits()
    assert page.locator("#source").bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 640}
    assert page.evaluate("document.querySelector('#source').matches(':modal')")
    page.locator("#source-close").click()
    assert has_focus(page.locator(".turn .chip").first)
    serve(page, silent, {"made-up": text})
    ask(page, "And?")
    assert fits()


CONTRAST = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest("[aria-disabled=true]")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [luminance(parse(style.color)), luminance(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const enough = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if (ratio < enough) poor.push(`${ratio.toFixed(2)} ${texts.currentNode.data}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(visit: Visit, scheme: Literal["light", "dark"]) -> None:
    page = visit(color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    serve(page, two_quotes(), {"made-up": PLAIN})
    ask(page, "When?")
    page.locator(".quotes .chip").first.click()
    assert marked(page, "short") == "nine"
    page.locator("#verify").click()
    expect(page.locator("#verdict strong")).to_be_visible()
    page.locator("summary").click()
    assert page.evaluate(CONTRAST) == []
    page.keyboard.press("Escape")
    serve(page, reply(nearest=[citation(PLAIN, "She sails from the north pier.")]), {"made-up": PLAIN})
    ask(page, "Who?").locator(".chip").click()
    assert marked(page, "span") == "She sails from the north pier."
    page.route("**/v1/ask", lambda route: route.abort())
    ask(page, "Why?")
    assert page.evaluate(CONTRAST) == []


def test_nothing_moves_for_those_who_asked_for_stillness(visit: Visit) -> None:
    page = visit(reduced_motion="reduce")
    page.route("**/v1/ask", lambda route: None)
    page.locator("#question").fill("When?")
    page.locator("#question").press("Enter")
    expect(page.locator(".waiting")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_new_replies_are_announced_in_a_log(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes(), {})
    ask(page, "When?")
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log.get_by_role("article", name="When?")).to_contain_text("nine")


# What the service may say


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


def test_sides_stand_next_to_each_other_when_sources_differ(visit: Visit) -> None:
    page = visit()
    answer = two_quotes() | {
        "sources_differ": True,
        "sides": [
            {"value": "nine", "citations": [1], "documents": 2, "independent": 1}
            | {"published_from": "2026-01-06", "published_to": "2026-01-10T08:00:00Z"},
            {"value": "half past ten", "citations": [2], "documents": 1, "independent": 1}
            | {"published_from": "2026-01-09", "published_to": "2026-01-09"},
        ],
    }
    serve(page, answer, {"made-up": PLAIN})
    turn = ask(page, "When?")

    sides = turn.locator(".sides li")
    assert sides.locator(".value").all_text_contents() == ["nine", "half past ten"]
    expect(sides.first).to_contain_text("2 documents · 1 independent · 6 January 2026 to 10 January 2026")
    expect(sides.nth(1)).to_contain_text("1 document · 9 January 2026")
    expect(turn.locator(".answer")).to_have_count(0)
    tops = [sides.nth(place).evaluate("node => node.getBoundingClientRect().top") for place in (0, 1)]
    assert tops[0] == tops[1]
    chip = sides.nth(1).locator(".chip")
    chip.click()
    assert marked(page, "span") == "She sails from the north pier."
    page.keyboard.press("Escape")
    assert has_focus(chip)


def test_context_and_explained_days_stand_beside_the_quote_and_are_no_part_of_it(visit: Visit) -> None:
    page = visit()
    text = "Anna Berg closed the mill.\n\nShe sold it on Tuesday."
    source = citation(
        text,
        "She sold it on Tuesday.",
        context={"quote": "Anna Berg closed the mill.", "start": 0, "end": 26},
        dates=[{"text": "Tuesday", "start": 43, "end": 50, "from": "2026-01-06", "to": "2026-01-06"},
               {"text": "last week", "start": 0, "end": 9, "from": "2025-12-29", "to": "2026-01-04"}],
    )  # fmt: skip
    serve(page, reply(citations=[source]), {"made-up": text})
    turn = ask(page, "When was the mill sold?")
    expect(turn.locator(".words")).to_have_text("She sold it on Tuesday.")
    expect(turn.locator(".context")).to_contain_text("Anna Berg closed the mill.")
    expect(turn.locator(".context .badge")).to_have_text("not part of the quote")
    expect(turn.locator(".dates")).to_contain_text("“Tuesday” is 6 January 2026")
    expect(turn.locator(".dates")).to_contain_text("“last week” is 29 December 2025 to 4 January 2026")


def test_hostile_text_is_shown_and_never_run(visit: Visit) -> None:
    page = visit()
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202e &amp; ${alert(3)}"
    text = f"{hostile}\n{hostile} is what it says.\n"
    source = citation(text, f"{hostile} is what it says.", "is what", title=hostile, publisher=hostile, author=hostile)
    source |= {"uri": "javascript:alert(4)", "published_at": hostile}
    sides = [{"value": hostile, "citations": [number], "documents": 1, "independent": 1} for number in (1, 2)]
    answer = reply(standalone_question=f"{hostile}?", citations=[source, source | {"number": 2}])
    serve(page, answer | {"short_answer": hostile, "sides": sides, "sources_differ": True}, {"made-up": text})
    page.route("**/v1/documents?*", lambda route: route.fulfill(json={"data": [source | {"id": "made-up"}]}))
    page.reload()
    expect(page.locator("#library-list .title")).to_have_text(hostile)

    turn = ask(page, hostile)
    turn.locator(".quotes .chip").first.click()

    assert marked(page, "span") == source["quote"]
    assert turn.locator(".question").text_content() == hostile
    assert turn.locator("cite bdi").first.text_content() == hostile
    assert turn.locator(".value").first.text_content() == hostile
    assert page.locator("#source-title").text_content() == hostile
    assert page.locator("#source-meta").text_content() == "\u00a0· ".join(
        [hostile, hostile, hostile, "javascript:alert(4)"]
    )
    assert page.locator("#source-meta a").count() == 0
    assert page.locator("main img, dialog img, main script, dialog script").count() == 0


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


def test_answer_is_copied_with_its_citations(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    source = citation(PLAIN, "The ferry leaves at nine.", "nine", title="Ferry\ntimes", page=3)
    serve(page, reply(short_answer="nine", citations=[source]), {})
    turn = ask(page, "When?")
    turn.get_by_role("button", name="Copy with citations").click()
    expect(turn.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == (
        "When?\n\n"
        "nine\n\n"
        "“The ferry leaves at nine.” [1]\n\n"
        "[1] Ferry times, The tests, 2026-01-10, page 3, notes/made-up.txt; "
        f"characters 0–25 of sha256:{sha256(PLAIN)}\n"
    )


def test_the_receipt_of_an_answer_and_of_silence_is_copied(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    source = citation(PLAIN, "The ferry leaves at nine.", "nine")
    silent = {"citations": [], "nearest": [source]}
    for receipt, shown in (("a1<b>", {"citations": [source]}), ("a2", silent), ("a3", {})):
        serve(page, reply(receipt=receipt, **shown), {})
        turn = ask(page, "When?")
        turn.get_by_role("button", name="Copy receipt").click()
        expect(turn.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == receipt
    serve(page, reply(receipt=None, citations=[source]), {})
    expect(ask(page, "When?").get_by_role("button", name="Copy receipt")).to_have_count(0)


def test_conversation_goes_on_until_a_new_one_is_started(visit: Visit) -> None:
    page = visit()
    sent: list[str | None] = []

    def answer(route: Route) -> None:
        sent.append(body_of(route)["conversation_id"])
        route.fulfill(json=two_quotes() | {"conversation_id": "c-1", "standalone_question": "Whither does she sail?"})

    page.route("**/v1/ask", answer)
    ask(page, "When?")
    turn = ask(page, "And where to?")
    expect(turn.locator(".understood")).to_have_text("understood as: Whither does she sail?")
    expect(turn).to_contain_text("confidence 0.93")
    expect(page.locator("#intro")).to_be_hidden()
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#intro")).to_be_visible()
    ask(page, "When?")
    assert sent == [None, "c-1", None]


# When it goes wrong


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


def test_a_conversation_that_is_gone_is_followed_by_a_new_one(visit: Visit) -> None:
    page = visit()
    serve(page, two_quotes() | {"conversation_id": "c-1"}, {})
    ask(page, "When?")
    gone = {"title": "No such conversation", "status": 404}
    page.route("**/v1/ask", lambda route: route.fulfill(status=404, json=gone, content_type="application/problem+json"))
    turn = ask(page, "And where from?")
    expect(turn.locator(".problem")).to_contain_text("Asking again starts a new conversation.")
    serve(page, two_quotes(), {})
    with page.expect_request("**/v1/ask") as request:
        turn.get_by_role("button", name="Ask again").click()
    assert request.value.post_data_json == {"question": "And where from?", "conversation_id": None}


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


def test_page_waits_for_a_service_that_is_not_ready(visit: Visit) -> None:
    page = visit()
    answers: list[Json] = [{"object": "list", "data": [], "has_more": False, "total": 0, "generation": 0}]

    def documents(route: Route) -> None:
        if answers:
            route.fulfill(json=answers.pop())
        else:
            route.continue_()

    page.route("**/v1/documents?*", lambda route: route.fulfill(status=503, body=""))
    page.reload()
    expect(page.locator("#library-status")).to_have_text("Getting ready…")
    page.route("**/v1/documents?*", documents)
    expect(page.locator("#library-status")).to_have_text("0 documents · generation 0")
    expect(page.locator("#library-note")).to_contain_text("The library is empty.")


# The files themselves


def test_page_is_small_and_brings_everything_with_it() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in STATIC.iterdir()}
    assert sum(len(text.encode()) for text in files.values()) < LARGEST_PAGE
    namespace = "http://www.w3.org/2000/svg"
    for name, text in files.items():
        outside = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]+[^\s\"']*|@import|url\(", text.replace(namespace, ""))
        assert (name, outside) == (name, [])


def test_no_text_can_become_markup_or_code() -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setHTML|srcdoc"
    for path in STATIC.glob("*.js"):
        assert (path.name, re.findall(dangerous, path.read_text(encoding="utf-8"))) == (path.name, [])
    markup = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", markup) == []
