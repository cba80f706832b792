"""The chat page of a library that shows itself to nobody without a key."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from api.access import Role
from api.keys import Keys
from tests.browser import Visit
from tests.shelf import served, shelf

FILES = {
    "news.md": "---\ntitle: The news\ntags: [press]\n---\n\nThe ferry leaves at noon.",
    "minutes.md": "---\ntitle: The minutes\ntags: [board]\n---\n\nThe ferry leaves at midnight.",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return shelf(tmp_path, FILES)


def test_a_reader_types_the_key_once_and_sees_what_it_opens(visit: Visit, library: Path) -> None:
    _, key = Keys(library).create("press", Role.READER, ["press"])
    with served(library) as url:
        page = visit()
        page.goto(url)
        gate = page.get_by_role("dialog", name="This needs a key of the library")
        gate.get_by_role("textbox", name="Key").fill("wrong")
        page.keyboard.press("Enter")
        expect(gate.get_by_role("alert")).to_have_text("The service did not accept this key.")
        gate.get_by_role("textbox", name="Key").fill(key)
        page.keyboard.press("Enter")
        expect(page.locator("#library-list .title")).to_have_text(["The news"])
        expect(gate).to_be_hidden()
        # It is shown as a header only: a form of another site can send no such thing.
        assert page.context.cookies() == []
        assert key not in page.content()


def test_who_declines_is_not_asked_again_by_itself(visit: Visit, library: Path) -> None:
    Keys(library).create("press", Role.READER)
    with served(library) as url:
        page = visit()
        page.goto(url)
        gate = page.get_by_role("dialog", name="This needs a key of the library")
        expect(gate).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#library-note")).to_contain_text("The library’s key is needed")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_load_state("networkidle")
        expect(gate).to_be_hidden()
