"""What the chat page makes of a reply, in a real browser: answers, sides, hostile text, and what is copied."""

from playwright.sync_api import Locator, Page, expect

from tests.browser import PLAIN, Visit, ask, citation, has_focus, marked, reply, serve, sha256, two_quotes


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

    sides = turn.locator(".sides > ul > li")
    assert [side.locator(".words").all_text_contents() for side in sides.all()] == [
        ["The ferry leaves at nine."],
        ["She sails from the north pier."],
    ]
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


def test_a_chip_says_who_published_it_and_when(visit: Visit) -> None:
    page = visit()
    source = citation(PLAIN, "The ferry leaves at nine.", page=3)
    bare = source | {"number": 2, "publisher": None, "published_at": None, "title": "Ferry times"}
    serve(page, reply(citations=[source, bare]), {})
    captions = ask(page, "When?").locator("figcaption")
    chips = captions.get_by_role("button")
    expect(chips.first).to_have_accessible_name("[1] The tests · 10 January 2026 , open source")
    expect(captions.first).to_contain_text("A made-up document · page 3")
    expect(chips.nth(1)).to_have_accessible_name("[2] Ferry times , open source")


def test_quotes_that_are_on_no_side_stand_below_and_shared_ones_once(visit: Visit) -> None:
    page = visit()
    first, second = two_quotes()["citations"]
    third = citation(PLAIN, "The fare is four crowns.", number=3)
    sides = [{"value": "nine", "citations": [1, 2]}, {"value": "ten", "citations": [2]}]
    serve(page, reply(citations=[first, second, third], sources_differ=True, sides=sides), {})
    turn = ask(page, "When?")
    expect(turn.locator(".words")).to_have_count(3)
    expect(turn.locator(".sides > ul > li").nth(1).locator(".chips .number")).to_have_text("[2]")
    expect(turn.locator(".sides + .quotes .words")).to_have_text("The fare is four crowns.")


# What is taken along


def copied(page: Page, turn: Locator, form: str) -> str:
    """Copy the answer in that form; return the clipboard."""
    copies = turn.locator(".copies")
    if copies.get_attribute("open") is None:
        copies.locator("summary").click()
    copies.get_by_role("button", name=form).click()
    expect(turn.get_by_text("Copied.")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


MILL = "Anna Berg closed the mill.\nShe sold it on Tuesday."
MEANT = {
    "context": {"quote": "Anna Berg closed the mill.", "start": 0, "end": 26},
    "dates": [{"text": "Tuesday", "start": 42, "end": 49, "from": "2026-01-06", "to": "2026-01-06"}],
}


def test_answer_is_copied_with_its_citations_and_what_their_words_mean(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    source = citation(
        MILL, "She sold it on Tuesday.", "Tuesday", title="Mill\nsold", page=3, author="Ida Holm", **MEANT
    )
    web = citation(MILL, "Anna Berg closed the mill.", number=2, uri="https://news.example/a_(b)", publisher=None)
    serve(page, reply(short_answer="Tuesday", citations=[source, web]), {})
    turn = ask(page, "When?")
    revision = f"sha256:{sha256(MILL)}"

    assert copied(page, turn, "Plain text") == (
        "When?\n\n"
        "Tuesday\n\n"
        "“She sold it on Tuesday.” [1]\n"
        "    “Tuesday” is 2026-01-06\n"
        "    for context, not part of the quote: “Anna Berg closed the mill.”\n"
        "“Anna Berg closed the mill.” [2]\n\n"
        "[1] Mill sold, The tests, Ida Holm, 2026-01-10, page 3, notes/made-up.txt; "
        f"characters 27–50 of {revision}\n"
        f"[2] A made-up document, 2026-01-10, https://news.example/a_(b); characters 0–26 of {revision}\n"
    )
    assert copied(page, turn, "Markdown") == (
        "### When?\n\n"
        "**Tuesday**\n\n"
        "> “She sold it on Tuesday.” [1]\n>\n"
        "> *“Tuesday” is 2026-01-06*\n>\n"
        "> *for context, not part of the quote: “Anna Berg closed the mill.”*\n\n"
        "> “Anna Berg closed the mill.” [2]\n\n"
        "1. Mill sold, The tests, Ida Holm, 2026-01-10, page 3, notes/made-up.txt; "
        f"characters 27–50 of {revision}\n"
        "2. [A made-up document](<https://news.example/a_%28b%29>), 2026-01-10; "
        f"characters 0–26 of {revision}\n"
    )
    assert copied(page, turn, "BibTeX") == (
        f"@misc{{citespan-{sha256('She sold it on Tuesday.')[:12]},\n"
        "  title = {{Mill sold}},\n"
        "  author = {{Ida Holm}},\n"
        "  publisher = {{The tests}},\n"
        "  date = {2026-01-10},\n"
        "  pages = {3},\n"
        "  howpublished = {notes/made-up.txt},\n"
        "  annotation = {“She sold it on Tuesday.”},\n"
        f"  note = {{characters 27–50 of {revision}; “Tuesday” is 2026-01-06; "
        "for context, not part of the quote: “Anna Berg closed the mill.”},\n"
        "}\n\n"
        f"@misc{{citespan-{sha256('Anna Berg closed the mill.')[:12]},\n"
        "  title = {{A made-up document}},\n"
        "  date = {2026-01-10},\n"
        "  url = {https://news.example/a_%28b%29},\n"
        "  annotation = {“Anna Berg closed the mill.”},\n"
        f"  note = {{characters 0–26 of {revision}}},\n"
        "}\n"
    )


def test_sides_are_copied_each_with_its_citations(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    sides = [{"value": "nine", "citations": [1]}, {"value": "- ten", "citations": [2]}]
    serve(page, two_quotes(sides=sides, sources_differ=True), {})
    turn = ask(page, "When?")
    assert "The sources differ:\n- nine [1]\n- - ten [2]\n" in copied(page, turn, "Plain text")
    assert "The sources differ:\n\n- nine [1]\n- \\- ten [2]\n" in copied(page, turn, "Markdown")


def test_text_of_a_document_is_no_markup_where_it_is_pasted(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    text = "[a](javascript:alert(1)) <img src=x> `c` *d*\n# e & 100 % of $5 {f} \\g ~h^ https://evil.example"
    hostile = citation(
        text, text, title="1. <b>_t_</b>", uri="https://news.example/>)(javascript:x", publisher="}@misc{"
    )
    serve(page, reply(citations=[hostile]), {})
    turn = ask(page, "# When?")

    markdown = copied(page, turn, "Markdown")
    assert markdown.startswith(
        "### \\# When?\n\n"
        "> “\\[a\\](javascript:alert(1)) \\<img src=x\\> \\`c\\` \\*d\\*\n"
        "> \\# e \\& 100 % of \\$5 \\{f\\} \\\\g \\~h\\^ https\\://evil.example” [1]\n"
    )
    assert "1. [1\\. \\<b\\>\\_t\\_\\</b\\>](<https://news.example/%3E%29%28javascript:x>)" in markdown
    bibtex = copied(page, turn, "BibTeX")
    assert "  publisher = {{\\textbraceright{}@misc\\textbraceleft{}}},\n" in bibtex
    assert "\\# e \\& 100 \\% of \\$5 \\textbraceleft{}f\\textbraceright{} \\textbackslash{}g" in bibtex
    assert bibtex.count("{") == bibtex.count("}")


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
