"""The page in a real browser, for the tests of it: a visitor, a service of literals, axe, and screenshots."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, Route, expect, sync_playwright

Json = dict[str, Any]
Visit = Callable[..., Page]

STATIC = Path(__file__).resolve().parent.parent / "api" / "static"
SHOTS = os.environ.get("CITESPAN_SHOTS")
"""The folder that screenshots are written to; None: none are."""

PLAIN = "The ferry leaves at nine.\nShe sails from the north pier.\nThe fare is four crowns.\n"

_LAUNCH = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
_NETWORK_NOISE = "Failed to load resource"
"""What Chromium itself says of every error status; the tests of error states cause them."""
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield the system's Chromium. It ends with the module: while it runs, no other test can have an event loop."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs the system's Chromium (a program named chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*_LAUNCH, "--disable-sync", "--no-first-run"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, live_server: str) -> Iterator[Visit]:
    """Open the page in a browser of its own; afterwards nothing may have failed or been forbidden in it.

    `before` is a script that runs before those of the page; further options are those of a browser context.
    """
    expect.set_options(timeout=20_000)
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
    assert [text for text in complaints if _NETWORK_NOISE not in text] == []


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


def kept(page: Page) -> list[Json]:
    """Return the conversations that the page keeps, the newest first."""
    texts = page.evaluate(
        "Object.keys(localStorage).filter((key) => key.startsWith('citespan/1/')).map((key) => localStorage[key])"
    )
    return sorted((json.loads(text) for text in texts), key=lambda one: -one["changed"])


def body_of(route: Route) -> Json:
    body: Json = json.loads(route.request.post_data or "{}")
    return body


def violations(page: Page) -> list[str]:
    """Return what axe-core finds against WCAG 2.2 AA (and its own best practices) in the page as it stands."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": list(_RULES)}})
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def shoot(page: Page, name: str) -> None:
    """Keep a picture of what a visitor sees, for people to look at, where SHOTS says so."""
    if SHOTS is not None:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


# A service of literals

HELD_STREAMS = """(() => {
  const real = window.fetch;
  let told = () => {};
  window.streams = [];
  window.asked = async (number) => {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("nothing is asked")), 20_000));
    while (window.streams.length <= number) await Promise.race([new Promise((resolve) => (told = resolve)), late]);
  };
  window.fetch = (address, options = {}) => {
    if (!String(address).endsWith("v1/ask")) return real(address, options);
    const last = options.headers["last-event-id"] ?? null;
    const stream = { request: JSON.parse(options.body), last, stopped: false };
    window.streams.push(stream);
    told();
    return new Promise((resolve, reject) => {
      const give = (body, type, status) => resolve(new Response(body, { status, headers: { "content-type": type } }));
      options.signal.addEventListener("abort", () => {
        stream.stopped = true;
        const error = new DOMException("stopped", "AbortError");
        stream.control?.error(error);
        reject(error);
      });
      stream.open = () => {
        const body = new ReadableStream({ start: (control) => (stream.control = control) });
        give(body, "text/event-stream", 200);
      };
      stream.send = (text) => stream.control.enqueue(new TextEncoder().encode(text));
      stream.drop = () => stream.control.error(new TypeError("network error"));
      stream.end = () => stream.control.close();
      stream.refuse = (problem) => give(JSON.stringify(problem), "application/problem+json", problem.status);
    });
  };
})()"""
"""A script to run before the page's own: what it asks is held in `streams`, for Held to answer."""


class Held:
    """A question of the page that waits for the test to answer it, the `number`th of them."""

    def __init__(self, page: Page, number: int) -> None:
        page.evaluate(f"window.asked({number})")
        self._page = page
        self._name = f"window.streams[{number}]"
        self.request: Json = self._do("request")
        self.last: str | None = self._do("last")

    @property
    def stopped(self) -> bool:
        return bool(self._do("stopped"))

    def send(self, *texts: str) -> None:
        """Send pieces of the event stream, which begins with the first of them."""
        self._do("control === undefined ? {0}.open() : null")
        for text in texts:
            self._do(f"send({json.dumps(text)})")

    def drop(self) -> None:
        """Lose the connection."""
        self._do("drop()")

    def end(self) -> None:
        """End the stream as if all had been said."""
        self._do("end()")

    def refuse(self, status: int, code: str) -> None:
        """Answer with a problem."""
        self._do(f"refuse({json.dumps({'type': f'urn:citespan:problem:{code}', 'title': code, 'status': status})})")

    def _do(self, what: str) -> Any:
        return self._page.evaluate(f"() => {{ return {self._name}.{what.replace('{0}', self._name)}; }}")


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
        "context": None,
        "dates": [],
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


def two_quotes(**changes: Any) -> Json:
    """Return a reply that quotes the first two sentences of PLAIN."""
    first = citation(PLAIN, "The ferry leaves at nine.", "nine")
    second = citation(PLAIN, "She sails from the north pier.", number=2)
    return reply(short_answer="nine", citations=[first, second], **changes)


def hit(text: str, title: str = "A made-up document") -> Json:
    """Return a passage as a `retrieval` event and /v1/search give it."""
    attributes = {"revision": f"sha256:{sha256(text)}", "title": title, "publisher": "The tests"}
    return {
        "file_id": "made-up",
        "filename": "notes/made-up.txt",
        "score": 0.5,
        "attributes": attributes | {"published_at": "2026-01-10", "start": 0, "end": len(text)},
        "content": [{"type": "text", "text": text}],
    }


def event(kind: str, data: Json, number: int, stream: str = "s") -> str:
    """Return a server-sent event, the `number`th of its stream."""
    return f"id: {stream}:{number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def events(answer: Json, hits: Sequence[Json] = (), stream: str = "s") -> list[str]:
    """Return the events by which the service sends `answer`."""
    found = {"id": answer["id"], "question": "?", "standalone_question": "?", "generation": 1, "hits": list(hits)}
    told = [("retrieval", found), *(("citation", quote) for quote in answer["citations"])]
    told += [("answer", answer), ("done", {"id": answer["id"], "timings_ms": {}})]
    return [event(kind, data, number, stream) for number, (kind, data) in enumerate(told, start=1)]


def serve(page: Page, answer: Json, texts: Mapping[str, str]) -> None:
    """Let the service give this reply to every question, and these texts (by document id)."""

    def text(route: Route) -> None:
        document = route.request.url.split("/documents/")[1].split("/")[0]
        route.fulfill(content_type="text/plain; charset=utf-8", body=texts[document])

    page.route("**/v1/ask", lambda route: route.fulfill(json=answer))
    page.route(re.compile(r"/v1/documents/[^/]+/text"), text)
