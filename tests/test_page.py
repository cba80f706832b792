"""The chat page over the real service, and the files that it is made of."""

import re

from playwright.sync_api import expect

from tests.browser import STATIC, Visit, ask, has_focus, kept, marked

LARGEST_PAGE = 150_000

ANSWERED = "Which news agency reported on January 10 that Japanese companies would get no new contracts?"
UNANSWERED = "At what temperature does tungsten melt?"


def test_every_chip_opens_the_source_at_exactly_the_quoted_words(visit: Visit) -> None:
    page = visit()
    turn = ask(page, ANSWERED)
    answer = kept(page)[0]["turns"][0]["reply"]

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
    turn = ask(page, ANSWERED)
    answer = kept(page)[0]["turns"][0]["reply"]
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
