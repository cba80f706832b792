"""Uploads by the page, in a real browser: dropped or chosen, followed to the library, refused with the reason."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from playwright.sync_api import FilePayload, Locator, Page, Request, Route, expect

from api.schemas_library import plain_name
from index.load import SUFFIXES, supported
from tests.browser import Visit, has_focus, shoot, violations
from tests.fakes import write_files
from tests.shelf import served, shelf

FERRY = "The ferry leaves at noon."
KEY = "skerry-rock-7"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return shelf(tmp_path, {"keeper.txt": "Edda Holm keeps the light."})


@pytest.fixture
def live_server(library: Path) -> Iterator[str]:
    """Yield the URL of a server of a library with one document."""
    with served(library) as url:
        yield url


def file(name: str, text: str | bytes = FERRY) -> FilePayload:
    return {"name": name, "mimeType": "", "buffer": text if isinstance(text, bytes) else text.encode()}


def add(page: Page, *files: FilePayload) -> None:
    page.locator("#files").set_input_files(list(files))


def line(page: Page, name: str) -> Locator:
    return page.locator("#uploads-list li").filter(has=page.locator(".upload-name").get_by_text(name, exact=True))


def said(page: Page, name: str) -> Locator:
    return line(page, name).locator(".upload-said")


def problem(route: Route, status: int, detail: str = "no", *, title: str = "A problem", retry_after: str = "") -> None:
    headers = {"content-type": "application/problem+json"} | ({"retry-after": retry_after} if retry_after else {})
    route.fulfill(status=status, body=json.dumps({"title": title, "status": status, "detail": detail}), headers=headers)


class Service:
    """Stands between the page and the service: answers the first uploads otherwise, and notes the keys of all."""

    def __init__(self, page: Page, *answers: Any) -> None:
        self.keys: list[str] = []
        self._answers = list(answers)
        page.route(re.compile(r"/v1/documents$"), self._answer)

    def _answer(self, route: Route) -> None:
        self.keys.append(route.request.headers["idempotency-key"])
        if self._answers:
            self._answers.pop(0)(route)
        else:
            route.continue_()


def uris(server: str) -> set[str]:
    return {document["uri"] for document in httpx2.get(f"{server}/v1/documents").json()["data"]}


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders of the disk on the page, as a hand with a mouse does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": step, "x": 300, "y": 300, "data": data})
        if step == "dragOver":
            expect(page.locator("#veil")).to_be_visible()


# From the hand to the library


def test_one_broken_file_of_two_is_told_and_the_other_is_in_the_library(visit: Visit, live_server: str) -> None:
    page = visit()
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    add(page, file("ferry.txt"), file("broken.pdf", b"no pdf at all"))

    expect(said(page, "ferry.txt")).to_have_text("Added.")
    expect(said(page, "broken.pdf")).to_have_text("Not a PDF, whatever its name says.")
    expect(page.locator("#uploads-title")).to_have_text("1 of 2 files in the library, 1 not taken in.")
    expect(page.locator("#announcer")).to_have_text("1 of 2 files in the library, 1 not taken in.")
    # The list, the header and what questions are put to follow.
    expect(page.locator("#library-list .title")).to_have_text(["ferry", "keeper"])
    expect(page.locator("#library-status")).to_have_text("2 documents · generation 2")
    assert uris(live_server) == {"keeper.txt", "ferry.txt"}
    assert len(sent) == 1
    expect(page.get_by_role("progressbar")).to_have_count(0)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("#uploads")).to_be_hidden()
    assert has_focus(page.locator("#library-toggle"))


def test_every_file_has_a_progress_bar_with_its_name(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    Service(page, held.append)
    add(page, file("ferry.txt"), file("barge.txt", "The barge waits."))
    expect(page.get_by_role("progressbar")).to_have_count(3)
    for name in ("All files", "ferry.txt", "barge.txt"):
        expect(page.get_by_role("progressbar", name=name)).to_be_visible()
    expect(page.get_by_role("progressbar", name="ferry.txt")).to_have_attribute("aria-valuetext", "is being sent")
    expect(page.locator("#uploads-title")).to_have_text("Adding files: 0 of 2 files in the library")
    held[0].continue_()
    expect(page.locator("#uploads-title")).to_have_text("2 of 2 files in the library.")


def test_a_dropped_folder_is_read_through_and_says_what_it_leaves_out(
    visit: Visit, live_server: str, tmp_path: Path
) -> None:
    files = {"a.txt": FERRY, "deep/er/b.md": "# B\n\nThe barge waits.", ".hidden/d.txt": "D.", ".DS_Store": "x"}
    folder = write_files(tmp_path / "reports", {**files, "deep/c.exe": "MZ"})
    alone = write_files(tmp_path, {"alone.txt": "Alone it lies."}) / "alone.txt"
    page = visit()
    drop(page, folder, alone)
    expect(page.locator("#veil")).to_be_hidden()
    expect(page.locator("#uploads-title")).to_have_text("3 of 3 files in the library.")
    assert uris(live_server) == {"keeper.txt", "reports/a.txt", "reports/deep/er/b.md", "alone.txt"}
    left = page.locator("#uploads-left li")
    assert set(left.all_text_contents()) == {"2 hidden files", "1 file of kinds that Citespan does not read"}


def test_a_folder_can_be_chosen_too(visit: Visit, live_server: str, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "reports", {"a.txt": FERRY, "deep/b.md": "The barge waits.", "c.exe": b"MZ"})
    page = visit()
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#uploads-title")).to_have_text("2 of 2 files in the library.")
    assert uris(live_server) == {"keeper.txt", "reports/a.txt", "reports/deep/b.md"}
    expect(page.locator("#uploads-left")).to_contain_text("1 file of kinds that Citespan does not read")


def test_text_that_is_dragged_is_no_file(visit: Visit) -> None:
    page = visit()
    drag = """() => {
      const data = new DataTransfer();
      data.setData('text/plain', 'words');
      const over = new DragEvent('dragover', { dataTransfer: data, bubbles: true, cancelable: true });
      document.querySelector('main').dispatchEvent(over);
      return over.defaultPrevented;
    }"""
    assert page.evaluate(drag) is False
    expect(page.locator("#veil")).to_be_hidden()


def test_a_new_revision_and_what_is_there_already_are_told_apart(visit: Visit) -> None:
    page = visit()
    for text, becomes in ((FERRY, "Added."), ("At ten.", "A new revision."), ("At ten.", "In the library already.")):
        add(page, file("ferry.txt", text))
        expect(said(page, "ferry.txt")).to_have_text(becomes)
    expect(page.locator("#uploads-list li")).to_have_count(1)


def test_many_files_are_few_generations(visit: Visit, live_server: str) -> None:
    page = visit()
    add(page, *(file(f"n{number:03d}.txt", f"Number {number}.") for number in range(60)))
    expect(page.locator("#uploads-title")).to_have_text("60 of 60 files in the library.", timeout=60_000)
    assert httpx2.get(f"{live_server}/v1/generations").json()["current"] == 3
    expect(page.locator("#library-status")).to_have_text("61 documents · generation 3")


# What the service may say


def test_a_lost_connection_is_mended_with_the_same_key(visit: Visit, live_server: str) -> None:
    page = visit()
    service = Service(page, lambda route: route.abort())
    add(page, file("ferry.txt"))
    expect(said(page, "ferry.txt")).to_have_text("Added.")
    assert len(service.keys) == 2
    assert len(set(service.keys)) == 1
    add(page, file("barge.txt", "The barge waits."))
    expect(said(page, "barge.txt")).to_have_text("Added.")
    assert service.keys[2] != service.keys[0]
    assert uris(live_server) == {"keeper.txt", "ferry.txt", "barge.txt"}


def test_a_full_queue_is_waited_for_as_long_as_it_says(visit: Visit) -> None:
    page = visit()
    service = Service(page, lambda route: problem(route, 429, retry_after="3"))
    add(page, file("ferry.txt"))
    expect(said(page, "ferry.txt")).to_have_text("too many uploads wait; sends again in 3 seconds")
    expect(said(page, "ferry.txt")).to_have_text("Added.")
    assert len(service.keys) == 2
    assert len(set(service.keys)) == 1


def test_one_file_that_is_too_large_keeps_no_other_back(visit: Visit, library: Path) -> None:
    with served(library, largest_upload=4_000) as url:
        page = visit()
        page.goto(url)
        add(page, file("ferry.txt"), file("large.txt", "Long. " * 1_000), file("barge.txt", "The barge waits."))
        expect(said(page, "ferry.txt")).to_have_text("Added.")
        expect(said(page, "barge.txt")).to_have_text("Added.")
        expect(said(page, "large.txt")).to_contain_text("It is larger than the service takes")
        assert uris(url) == {"keeper.txt", "ferry.txt", "barge.txt"}


def test_a_kind_that_only_the_service_refuses_keeps_no_other_back(visit: Visit, live_server: str) -> None:
    page = visit()
    service = Service(page, lambda route: problem(route, 415, "odd.txt: no loader for it"))
    add(page, file("ferry.txt"), file("odd.txt"), file("barge.txt", "The barge waits."))
    expect(page.locator("#uploads-title")).to_have_text("2 of 3 files in the library, 1 not taken in.")
    expect(said(page, "odd.txt")).to_have_text("No loader for it.")
    assert uris(live_server) == {"keeper.txt", "ferry.txt", "barge.txt"}
    assert len(service.keys) == 2


def test_a_refusal_that_names_nobody_is_narrowed_down(visit: Visit, live_server: str) -> None:
    page = visit()

    def refuse(route: Route) -> None:
        if b"barge" in (route.request.post_data_buffer or b""):
            problem(route, 422, "the request is not valid")
        else:
            route.continue_()

    page.route(re.compile(r"/v1/documents$"), refuse)
    add(page, *(file(f"{name}.txt", f"This is {name}.") for name in ("alder", "barge", "cutter", "dinghy", "elm")))
    expect(page.locator("#uploads-title")).to_have_text("4 of 5 files in the library, 1 not taken in.")
    expect(said(page, "barge.txt")).to_have_text("The request is not valid.")
    assert uris(live_server) == {"keeper.txt", "alder.txt", "cutter.txt", "dinghy.txt", "elm.txt"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (507, "The service has no space left on its disk; nothing of it was kept."),
        (500, "Something went wrong. The log says what."),
    ],
)
def test_what_failed_for_no_fault_of_its_own_can_be_sent_again(visit: Visit, status: int, words: str) -> None:
    page = visit()
    title = "Something went wrong"
    Service(page, lambda route: problem(route, status, "The log says what.", title=title))
    add(page, file("ferry.txt"), file("barge.txt", "The barge waits."))
    for name in ("ferry.txt", "barge.txt"):
        expect(said(page, name)).to_have_text(words)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#uploads-title")).to_have_text("2 of 2 files in the library.")
    # The button is gone, and the focus has not left the panel with it.
    assert has_focus(page.locator("#uploads-title"))


def test_the_key_is_asked_for_once(visit: Visit, library: Path) -> None:
    with served(library, api_key=KEY) as url:
        page = visit()
        page.goto(url)
        add(page, file("ferry.txt"))
        page.get_by_role("textbox", name="Key").fill(KEY)
        page.keyboard.press("Enter")
        expect(said(page, "ferry.txt")).to_have_text("Added.")
        add(page, file("barge.txt", "The barge waits."))
        expect(said(page, "barge.txt")).to_have_text("Added.")
        page.reload()
        add(page, file("cutter.txt", "The cutter races."))
        expect(page.get_by_role("textbox", name="Key")).to_be_visible()
        page.keyboard.press("Escape")
        expect(said(page, "cutter.txt")).to_have_text("The library’s key is needed.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_what_is_being_sent_can_be_cancelled(visit: Visit, live_server: str) -> None:
    page = visit()
    held: list[Route] = []
    Service(page, held.append)
    add(page, file("ferry.txt"), file("barge.txt", "The barge waits."))
    expect(said(page, "ferry.txt")).to_have_text("is being sent")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#uploads-title")).to_have_text("0 of 2 files in the library, 2 cancelled.")
    assert has_focus(page.locator("#uploads-title"))
    # What comes after it is sent as ever.
    add(page, file("cutter.txt", "The cutter races."))
    expect(said(page, "cutter.txt")).to_have_text("Added.")
    assert uris(live_server) == {"keeper.txt", "cutter.txt"}


def test_a_wait_can_be_cancelled(visit: Visit) -> None:
    page = visit()
    service = Service(page, lambda route: problem(route, 429, retry_after="600"))
    add(page, file("ferry.txt"))
    expect(said(page, "ferry.txt")).to_contain_text("sends again in 600 seconds")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#uploads-title")).to_have_text("0 of 1 file in the library, 1 cancelled.")
    assert len(service.keys) == 1


def test_what_cannot_be_read_or_is_there_twice_is_not_sent(visit: Visit, live_server: str) -> None:
    page = visit()
    add(
        page, file("setup.exe", b"MZ"), file("README"), file("ferry.txt"), file("empty.txt", ""), file("ferry.txt", "!")
    )
    expect(page.locator("#uploads-title")).to_have_text("1 of 5 files in the library, 4 not taken in.")
    expect(said(page, "setup.exe")).to_have_text("Not sent: Citespan does not read .exe files.")
    expect(said(page, "README")).to_contain_text("no suffix that says what it is")
    expect(said(page, "ferry.txt")).to_have_text(["Added.", "Not sent: another file of this name is being added."])
    expect(line(page, "empty.txt")).to_have_class("failed")
    assert uris(live_server) == {"keeper.txt", "ferry.txt"}


def test_a_service_that_forgot_the_job_is_told(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/jobs/job_*", lambda route: problem(route, 404))
    add(page, file("ferry.txt"))
    expect(said(page, "ferry.txt")).to_have_text("The service knows nothing of it any more.")


# Whatever the files are called, on any screen, in any colours

HOSTILE = "<img src=x onerror=alert(1)> \u202egnp.\u202c ${alert(2)} & \"q\" 'q'.txt"


def test_hostile_names_stay_text_and_end_up_as_the_service_writes_them(visit: Visit, live_server: str) -> None:
    page = visit(width=360, height=700)
    endless = "e" * 240 + ".txt"
    add(page, file(HOSTILE), file(endless, "Endless."), file("è" * 200 + ".txt", "Too long."))
    expect(page.locator("#uploads-title")).to_have_text("2 of 3 files in the library, 1 not taken in.")
    assert page.locator(".upload-name").first.text_content() == HOSTILE
    assert page.locator("#uploads img, #uploads script, main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    expect(page.locator(".upload-said").nth(2)).to_have_text("Not sent: its name is over 255 bytes.")
    assert uris(live_server) == {"keeper.txt", endless, plain_name(HOSTILE.replace('"', "'"))}


NAMES = [
    "a.txt", "/a/b/../c.txt", "C:\\Users\\x\\report.pdf", " a / b .txt", "e\u0301.txt", "\u202ea\u200f.txt",
    "a\nb\x00.md", "\ud800.txt", "...", "./x.TXT", "~/.ssh/id.txt", "a\u2028b.csv", "\ufeffa.json",
    "日本.html", "c:", "a..b/..txt",
]  # fmt: skip


def test_names_are_sent_as_the_service_writes_them(visit: Visit) -> None:
    page = visit()
    made = page.evaluate(
        "async (names) => (await import('./static/drop.js').then((m) => JSON.parse(names).map(m.sentName)))",
        json.dumps(NAMES),
    )
    for name, sent in zip(NAMES, made, strict=True):
        try:
            assert sent == plain_name(name)
        except ValueError:
            assert sent == ""


def test_the_page_knows_what_the_loader_reads(visit: Visit) -> None:
    page = visit()
    drop_js = "const { SUFFIXES, refusal } = await import('./static/drop.js');"
    assert set(page.evaluate(f"async () => {{ {drop_js} return SUFFIXES; }}")) == set(SUFFIXES)
    assert set((page.locator("#files").get_attribute("accept") or "").split(",")) == set(SUFFIXES)
    names = ["a.txt", "a.TXT", ".txt", "a.", "a", "a.b.pdf", "x/.html", "a.exe", "a.txt/b", "a.json.gz", "a.PDF.GZ"]
    names += ["a.gz", "a.exe.gz", "a.zip.gz", "a.gz.gz"]
    taken = page.evaluate(f"async (names) => {{ {drop_js} return names.map((n) => refusal(n) === null); }}", names)
    assert taken == [supported(name) for name in names]


def test_only_so_many_are_taken_at_a_time(visit: Visit) -> None:
    page = visit()
    found = page.evaluate(
        """async () => {
          const { chosen } = await import('./static/drop.js');
          const found = chosen(Array.from({ length: 1003 }, (_, n) => new File(['x'], `${n}.txt`)));
          const hidden = (_, n) => ({ name: `.${n}`, webkitRelativePath: `f/.${n}` });
          const many = chosen(Array.from({ length: 20001 }, hidden));
          return [found.files.length, found.left, many.files.length, many.left];
        }"""
    )
    assert found == [
        1000, ["3 files: 1,000 are added at a time"],
        0, ["19,999 hidden files", "everything after the first 20,000 files and folders"],
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_files_come_in_and_after(visit: Visit, scheme: Literal["light", "dark"]) -> None:
    page = visit(color_scheme=scheme, height=1_200)
    held: list[Route] = []
    Service(page, held.append)
    add(page, file("ferry.txt"), file("broken.pdf", b"no pdf"), file("setup.exe", b"MZ"))
    expect(said(page, "ferry.txt")).to_have_text("is being sent")
    shoot(page, f"upload-sending-{scheme}")
    assert violations(page) == []
    held[0].continue_()
    expect(page.locator("#uploads-title")).to_have_text("1 of 3 files in the library, 2 not taken in.")
    shoot(page, f"upload-done-{scheme}")
    assert violations(page) == []
    page.get_by_role("button", name="Files", exact=True).click()
    expect(page.locator("#uploads-list")).to_be_hidden()
    assert violations(page) == []


def test_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit()
    with page.expect_file_chooser() as chooser:
        page.locator("#add-files").press("Enter")
    chooser.value.set_files([file("ferry.txt"), file("broken.pdf", b"no pdf")])
    expect(page.locator("#uploads-title")).to_have_text("1 of 2 files in the library, 1 not taken in.")
    assert has_focus(page.locator("#add-files"))
    page.locator("#uploads-fold").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#uploads-list")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#uploads")).to_be_hidden()
