"""Messages of a chat: what is asked in them, and how a reply reads as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.messages import SILENCE, asked_in, written
from api.schemas import AskResponse, CitationModel, RiskModel, SideModel
from api.schemas_openai import MessageModel
from qa.types import LONGEST_QUESTION

RISK = RiskModel(target=0.2, threshold=0.6, wrong=0.1, wrong_at_most=0.2, coverage=0.7)


def citation(number: int, quote: str, at: int | None = None, **known: object) -> CitationModel:
    values = {
        "number": number, "document_id": f"doc_{number}", "revision": "sha256:00", "title": f"Title {number}",
        "uri": f"{number}.txt", "publisher": None, "author": None, "published_at": None, "page": None, "quote": quote,
        "start": 0, "end": len(quote), "byte_start": 0, "byte_end": len(quote.encode()), "quote_sha256": "sha256:00",
        "highlight": None, "answer_start": at, "answer_end": None if at is None else at + len(quote), "context": None,
        "dates": [],
    }  # fmt: skip
    return CitationModel.model_validate(values | known)


def reply(
    quotes: list[str], short: str | None = None, sides: list[SideModel] | None = None, *, differ: bool = False
) -> AskResponse:
    """Return a reply that quotes `quotes`, written the way that replies are (DESIGN.md)."""
    answer, citations = "", []
    for number, quote in enumerate(quotes, start=1):
        answer += " " if answer else ""
        citations.append(citation(number, quote, len(answer) + 1))
        answer += f"“{quote}” [{number}]"
    return AskResponse(
        id="ask_1", answerable=bool(quotes), answer=answer if quotes else None, short_answer=short, confidence=0.9,
        risk=RISK, question="Who?", standalone_question="Who?", conversation_id="", citations=citations,
        sides=[] if sides is None else sides, sources_differ=differ, nearest=[], generation=1, receipt=None,
        timings_ms={},
    )  # fmt: skip


def side(value: str, numbers: list[int], first: str | None = None, last: str | None = None) -> SideModel:
    return SideModel(
        value=value, citations=numbers, documents=1, independent=1, published_from=first, published_to=last
    )


# ---- what a reply reads like ---------------------------------------------------------------------------------------


def test_an_answer_begins_with_its_short_answer_and_ends_with_what_is_quoted() -> None:
    said = written(reply(["Edda Holm painted it.", "She is the keeper."], "Edda Holm"))
    assert said.text == (
        "Edda Holm\n\n“Edda Holm painted it.” [1] “She is the keeper.” [2]\n\nSources:\n[1] Title 1\n[2] Title 2"
    )


def test_an_answer_without_a_short_one_begins_with_its_quotes() -> None:
    assert written(reply(["Because it was grey."])).text == "“Because it was grey.” [1]\n\nSources:\n[1] Title 1"


def test_where_sources_differ_every_side_comes_first_with_its_citations_and_days() -> None:
    sides = [side("grey", [1, 3], "2025-01-01", "2025-02-01"), side("white", [2], "2026-01-01", "2026-01-01")]
    said = written(reply(["It is grey.", "It is white.", "Grey it is."], "grey", sides, differ=True))
    assert said.text.startswith(
        "The sources differ:\ngrey [1] [3] (2025-01-01 to 2025-02-01)\nwhite [2] (2026-01-01)\n\n“It is grey.” [1] "
    )


def test_a_side_that_there_was_no_room_for_is_not_kept_silent() -> None:
    said = written(reply(["It is grey."], "grey", [side("grey", [1])], differ=True))
    assert said.text.startswith(
        "The sources differ; with more citations the other sides are shown.\n\n“It is grey.” [1]"
    )


def test_a_source_is_named_on_one_line_by_what_is_known_of_it() -> None:
    whole = reply(["It is grey."])
    known = citation(
        1, "It is grey.", 1, title="The\nlighthouse", publisher="Coast News", published_at="2026-01-02", page=3
    )
    said = written(whole.model_copy(update={"citations": [known]}))
    assert said.text.endswith("\n\nSources:\n[1] The lighthouse, Coast News, 2026-01-02, page 3")


def test_silence_names_the_nearest_documents_each_once() -> None:
    nearest = [citation(1, "a"), citation(2, "b", title="Title 1"), citation(3, "c", publisher="Coast News")]
    said = written(reply([]).model_copy(update={"nearest": nearest}))
    assert said.text == (
        "The sources do not say.\n\nNearest, though they do not answer:\n- Title 1\n- Title 3, Coast News"
    )
    assert (said.quotes, said.marks) == ((), ())


def test_silence_over_an_empty_library_is_one_sentence() -> None:
    assert written(reply([])).text == SILENCE


# Quotes like the notation around them are what would lead astray whoever searched for it.
QUOTES = st.lists(
    st.text(st.sampled_from("a “”[]12🐧\n é"), min_size=1, max_size=12) | st.just("” [1] “") | st.text(min_size=1),
    min_size=1,
    max_size=10,
)


@given(QUOTES, st.none() | st.text(min_size=1, max_size=20))
def test_quotes_and_marks_stand_where_it_is_said_whatever_is_quoted(quotes: list[str], short: str | None) -> None:
    said = written(reply(quotes, short))
    assert [place.of(said.text) for place in said.quotes] == quotes
    assert [place.of(said.text) for place in said.marks] == [f"[{n}]" for n in range(1, len(quotes) + 1)]
    assert all(said.text[quote.end : mark.start] == "” " for quote, mark in zip(said.quotes, said.marks, strict=True))


# ---- what is asked -------------------------------------------------------------------------------------------------


def message(role: str, content: object) -> MessageModel:
    return MessageModel.model_validate({"role": role, "content": content})


def test_the_last_message_of_a_user_is_the_question_and_the_others_are_the_conversation() -> None:
    asked = asked_in(
        [
            message("system", "Answer in verse."),
            message("user", "Who painted it?"),
            message("assistant", "Edda Holm"),
            message("user", "When?"),
        ]
    )
    assert (asked.question, asked.exchanges) == ("When?", (("Who painted it?", "Edda Holm"),))


def test_what_comes_after_the_question_is_not_looked_at() -> None:
    asked = asked_in([message("user", "Who?"), message("assistant", "The answer is"), message("tool", "x")])
    assert (asked.question, asked.exchanges) == ("Who?", ())


def test_calls_of_tools_and_their_results_say_nothing() -> None:
    asked = asked_in(
        [
            message("user", "Who painted it?"),
            message("assistant", None),
            message("tool", "42"),
            message("function", "43"),
            message("developer", "Be short."),
            message("assistant", "Edda Holm"),
            message("user", "When?"),
        ]
    )
    assert asked.exchanges == (("Who painted it?", "Edda Holm"),)


def test_an_answer_is_read_without_what_was_written_around_it() -> None:
    said = written(reply(["Edda Holm painted it.", "She is the keeper."], "Edda Holm")).text
    asked = asked_in([message("user", "Who painted it?"), message("assistant", said), message("user", "When?")])
    assert asked.exchanges == (("Who painted it?", "Edda Holm\n\n“Edda Holm painted it.” “She is the keeper.”"),)


def test_silence_is_no_answer() -> None:
    said = written(reply([]).model_copy(update={"nearest": [citation(1, "a")]})).text
    asked = asked_in([message("user", "Who?"), message("assistant", said), message("user", "When?")])
    assert asked.exchanges == (("Who?", None),)


def test_questions_that_were_refused_are_not_part_of_the_conversation() -> None:
    asked = asked_in(
        [
            message("user", "x" * (LONGEST_QUESTION + 1)),
            message("user", " "),
            message("user", "a"),
            message("user", "b"),
        ]
    )
    assert (asked.question, asked.exchanges) == ("b", (("a", None),))


def test_of_a_thousand_messages_the_last_hundred_count() -> None:
    many = [message("user" if number % 2 == 0 else "assistant", f"m{number}") for number in range(1_000)]
    asked = asked_in([*many, message("user", "Why?")])
    assert len(asked.exchanges) == 50
    assert (asked.exchanges[0], asked.exchanges[-1]) == (("m900", "m901"), ("m998", "m999"))


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "Who painted"}, {"type": "text", "text": "the lighthouse?"}]
    assert asked_in([message("user", parts)]).question == "Who painted\nthe lighthouse?"


def test_a_refusal_is_no_text() -> None:
    parts = [{"type": "refusal", "refusal": "No."}]
    asked = asked_in([message("user", "a"), message("assistant", parts), message("user", "b")])
    assert asked.exchanges == (("a", None),)


ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])


@given(st.lists(st.tuples(ROLES, st.text(max_size=30))), st.text(min_size=1, max_size=30))
def test_every_exchange_is_what_a_user_said(before: list[tuple[str, str]], last: str) -> None:
    asked = asked_in([*(message(*one) for one in before), message("user", last)])
    assert asked.question == last
    assert len(asked.exchanges) <= sum(1 for role, _ in before if role == "user")


@pytest.mark.parametrize("text", ["“" * 200_000, " [1]" * 50_000, "\n\nSources:\n" * 20_000])
def test_an_answer_made_up_to_be_slow_is_read_all_the_same(text: str) -> None:
    asked = asked_in([message("user", "a"), message("assistant", text), message("user", "b")])
    assert len(str(asked.exchanges[0][1])) <= 4_000
