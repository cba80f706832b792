from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from qa.agree import Evidence
from qa.calibrate import Weighed
from qa.choose import ChoicePolicy, choose
from qa.types import Candidate
from tests.world import UNSEEN, passage

POLICY = ChoicePolicy(near=1.0, same=2.5, listed=2.0, part=4.0)
STATEMENT = "Why was the road closed?"


def weighed(text: str, short: str, weight: float, *, uri: str = "a.txt", group: str = "") -> Weighed:
    """A candidate in the sentence of `text` that holds `short`."""
    piece = passage(text, uri=uri)
    piece = replace(piece, document=replace(piece.document, group=group))
    start = text.index(short)
    span = Span(start, start + len(short))
    sentence = next(s for s in piece.sentences if s.span.covers(span))
    return Weighed(Candidate(piece, sentence, span, weight), UNSEEN, weight)


def chosen(query: str, found: Sequence[Weighed], *evidence: Sequence[Weighed]) -> list[str]:
    """Return the quotes chosen; the first evidence is what says the same as the best, the others are against it."""
    listed = [Evidence.of(list(one)) for one in (evidence if evidence else [found[:1]])]
    return [one.candidate.quote for one in choose(query, found, listed, listed[1:], POLICY)]


BEST = weighed("The road was closed in May.", "May", 5.0)


def test_a_further_sentence_is_quoted_if_it_comes_near_or_says_the_same() -> None:
    near = weighed("It may have been closed in June.", "June", 4.0, uri="b.txt")
    same = weighed("Traffic fell in May.", "May", 2.5, uri="c.txt")
    far = weighed("It rained in April.", "April", 3.9, uri="d.txt")
    assert chosen(STATEMENT, [BEST, near, far, same]) == [one.candidate.quote for one in (BEST, near, same)]


def test_what_another_source_says_against_it_comes_right_behind_the_best() -> None:
    near = weighed("Some say it was shut in spring.", "spring", 4.9, uri="b.txt")
    against = weighed("The road was closed in June.", "June", 3.0, uri="c.txt")
    found = [BEST, near, against]
    assert chosen("When was it closed?", found, [BEST], [against]) == [
        "The road was closed in May.",
        "The road was closed in June.",
        "Some say it was shut in spring.",
    ]


def test_an_independent_witness_comes_before_a_further_sentence_of_the_same_document() -> None:
    text = "The road was closed in May. It stayed closed in May and June."
    best = weighed(text, "May", 5.0, group="one")
    further = weighed(text, "May and June", 4.9, group="one")
    witness = weighed("In May the road was shut.", "May", 0.5, uri="b.txt", group="two")
    assert chosen("When was it closed?", [best, further, witness], [best, further, witness]) == [
        "The road was closed in May.",
        "In May the road was shut.",
        "It stayed closed in May and June.",
    ]


def test_a_copy_is_not_quoted_for_the_same_statement() -> None:
    best = weighed("The road to the mill was closed in May by the town.", "May", 5.0, group="one")
    copy = weighed("The road to the mill was shut in May by the town.", "May", 4.9, uri="b.txt", group="one")
    other = weighed("The road to the mill was shut in May by the town.", "May", 4.9, uri="c.txt", group="two")
    assert chosen("When?", [best, copy], [best, copy]) == [best.candidate.quote]
    assert chosen("When?", [best, other], [best, other]) == [best.candidate.quote, other.candidate.quote]


def test_the_same_words_are_quoted_once() -> None:
    same = weighed("The road was closed, in MAY!", "MAY", 5.0, uri="b.txt")
    assert chosen("When?", [BEST, same], [BEST, same]) == [BEST.candidate.quote]


def test_a_sentence_is_quoted_once_however_many_spans_it_holds() -> None:
    again = weighed("The road was closed in May.", "The road", 4.9)
    assert chosen("When?", [BEST, again], [BEST, again]) == [BEST.candidate.quote]


def test_each_further_quote_of_a_list_gives_another_item_at_a_lower_bar() -> None:
    rome = weighed("They built a road to Rome.", "a road to Rome", 5.0)
    pisa = weighed("They built a canal to Pisa.", "a canal to Pisa", 3.1, uri="b.txt")
    again = weighed("Later the road to Rome was paved.", "road to Rome", 3.0, uri="c.txt")
    found = [rome, pisa, again]
    assert chosen("Which roads and canals did they build?", found) == [rome.candidate.quote, pisa.candidate.quote]
    assert chosen("What did it cost?", found) == [rome.candidate.quote]


def test_a_part_of_the_question_that_the_best_leaves_open_gets_its_own_quote() -> None:
    where = weighed("The treaty was signed in the town of Pisa.", "Pisa", 2.0, uri="b.txt")
    when = weighed("The treaty was signed on 6 May.", "6 May", 5.0)
    other = weighed("The treaty was long.", "long", 3.9, uri="c.txt")
    assert chosen("When and where was the treaty signed?", [when, other, where]) == [
        "The treaty was signed on 6 May.",
        "The treaty was signed in the town of Pisa.",
    ]


def test_a_best_sentence_that_answers_both_parts_stands_alone() -> None:
    text = "The treaty was signed on 6 May in Pisa."
    when, where = weighed(text, "6 May", 5.0), weighed(text, "Pisa", 4.0)
    other = weighed("The treaty was signed near Rome.", "Rome", 3.0, uri="b.txt")
    assert chosen("When and where was the treaty signed?", [when, where, other]) == [text]


def test_why_is_answered_by_a_sentence_that_gives_a_cause() -> None:
    who = weighed("Anna Berg closed the road.", "Anna Berg", 5.0)
    quiet = weighed("The road was quiet.", "quiet", 3.5, uri="b.txt")
    why = weighed("The road was closed because of the flood.", "the flood", 2.0, uri="c.txt")
    assert chosen("Who closed the road, and why was it closed?", [who, quiet, why]) == [
        who.candidate.quote,
        why.candidate.quote,
    ]


_WORDS = st.sampled_from(["May", "June", "the road", "in Pisa", "because", "closed", "Rome"])
_FOUND = st.lists(
    st.tuples(st.lists(_WORDS, min_size=1, max_size=5), st.sampled_from(["a", "b", "c"]), st.floats(0, 6)),
    min_size=1,
    max_size=7,
)


@given(_FOUND, st.sampled_from(["When?", "When and where was it closed?", "Which roads were closed?", "Why?"]))
def test_the_best_is_first_and_no_statement_twice(pieces: list[tuple[list[str], str, float]], query: str) -> None:
    found = [weighed(f"{' '.join(words)}.", words[0], weight, uri=uri) for words, uri, weight in pieces]
    found.sort(key=lambda one: -one.weight)
    witnesses = found[:2]
    kept = choose(query, found, [Evidence.of(witnesses)], [], POLICY)
    quotes = ["".join(c for c in one.candidate.quote.casefold() if c.isalnum()) for one in kept]
    assert kept[0] is found[0]
    assert len(set(quotes)) == len(quotes)
    assert all(one in witnesses or one.weight >= found[0].weight - POLICY.part for one in kept)


def test_an_edited_copy_that_gives_another_value_is_quoted_against_the_best() -> None:
    best = weighed("The road to the mill was shut in May by the town.", "May", 5.0, group="one")
    edited = weighed("The road to the mill was shut in June by the town.", "June", 4.9, uri="b.txt", group="one")
    assert chosen("When?", [best, edited], [best], [edited]) == [best.candidate.quote, edited.candidate.quote]
    assert chosen("When?", [best, edited], [best]) == [best.candidate.quote]
