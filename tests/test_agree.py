"""Who says the same, and who gives another value for the same question."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.types import Kind, Passage, Sentence, Span
from qa.agree import AgreePolicy, Evidence, gather, rivals
from qa.calibrate import Weighed
from qa.types import Candidate
from tests.world import UNSEEN, document, passage

POLICY = AgreePolicy(near=4.0, same=6.0, score=0.0)
HOW_MANY = "How many people died in the Orbeck flood?"


def said(
    text: str, uri: str, weight: float = 10.0, *, group: str = "", published: str | None = None, score: float = 5.0
) -> Weighed:
    """A candidate: the words in [brackets] of a document of that text."""
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    piece = passage(plain, uri=uri, number=sum(uri.encode()))
    piece = replace(piece, document=replace(piece.document, group=group, published_at=published))
    sentence = next(s for s in piece.sentences if s.span.covers(Span(start, end)))
    return Weighed(Candidate(piece, sentence, Span(start, end), score), UNSEEN, weight)


def counts(evidence: list[Evidence]) -> list[tuple[str, int, int]]:
    return [(one.value, one.documents, one.independent) for one in evidence]


def others(query: str, *weighed: Weighed) -> list[str]:
    """The values that differ from the first."""
    return [one.value for one in rivals(query, gather(query, weighed), POLICY)]


ONE = said("The Orbeck flood killed [36 people], the mayor said.", "one.txt")
OTHER = said("In the Orbeck flood [51 people] died, doctors say.", "other.txt", 9.0)


def test_two_sources_with_one_value_are_one_evidence() -> None:
    again = said("Doctors say that [thirty-six] died in the Orbeck flood.", "again.txt", 9.0)
    assert counts(gather(HOW_MANY, [ONE, again])) == [("36 people", 2, 2)]


def test_the_evidence_of_the_best_candidate_comes_first() -> None:
    assert counts(gather(HOW_MANY, [ONE, OTHER])) == [("36 people", 1, 1), ("51 people", 1, 1)]


def test_nothing_says_nothing() -> None:
    assert gather(HOW_MANY, []) == []
    assert rivals(HOW_MANY, [], POLICY) == []


def test_near_copies_are_documents_but_one_witness() -> None:
    copies = [replace(ONE, weight=10.0 - place) for place in range(1)]
    copies += [
        said(ONE.candidate.passage.text.replace("36 people", "[36 people]"), f"{n}.txt", 9.0, group="g") for n in "ab"
    ]
    copies[0] = said("The Orbeck flood killed [36 people], the mayor said.", "one.txt", group="g")
    assert counts(gather(HOW_MANY, copies)) == [("36 people", 3, 1)]


def test_evidence_says_from_when_to_when_it_was_published() -> None:
    weighed = [
        said("The Orbeck flood killed [36].", "b.txt", published="2026-01-09"),
        said("The Orbeck flood killed [36].", "a.txt", 9.0, published="2026-01-06"),
        said("The Orbeck flood killed [36].", "c.txt", 8.0),
    ]
    (found,) = gather(HOW_MANY, weighed)
    assert (found.published_from, found.published_to) == ("2026-01-06", "2026-01-09")


def test_a_witness_that_weighs_too_little_stands_alone() -> None:
    far = said("The flood of 1936 killed [36].", "far.txt", 3.9)
    assert counts(gather(HOW_MANY, [ONE, far])) == [("36 people", 1, 1), ("36", 1, 1)]


def test_two_independent_sources_with_different_figures_differ() -> None:
    assert others(HOW_MANY, ONE, OTHER) == ["51 people"]


def test_a_value_that_weighs_too_little_or_that_the_reader_doubts_is_no_side() -> None:
    assert others(HOW_MANY, ONE, replace(OTHER, weight=5.9)) == []
    doubted = replace(OTHER, candidate=replace(OTHER.candidate, score=-0.1))
    assert others(HOW_MANY, ONE, doubted) == []


def test_one_document_that_gives_two_values_does_not_differ_from_itself() -> None:
    text = "The Orbeck flood killed {} people. By night the Orbeck flood had killed {} people."
    weighed = [said(text.format("[36]", "51"), "one.txt"), said(text.format("36", "[51]"), "one.txt", 9.0)]
    assert others(HOW_MANY, *weighed) == []


def test_a_document_that_gives_both_values_agrees_with_one_that_gives_the_second() -> None:
    text = "The Orbeck flood killed {} people. By night the Orbeck flood had killed {} people."
    both = [said(text.format("[36]", "51"), "one.txt"), said(text.format("36", "[51]"), "one.txt", 9.5)]
    assert others(HOW_MANY, *both, OTHER) == []


def test_a_correction_is_a_side_and_the_corrected_value_is_not_its_own() -> None:
    right = "The Orbeck flood killed {} people, not {} as first reported."
    weighed = [ONE, said(right.format("[38]", "36"), "b.txt", 9.5), said(right.format("38", "[36]"), "b.txt", 9.0)]
    assert counts(gather(HOW_MANY, weighed))[0] == ("36 people", 1, 1)
    assert others(HOW_MANY, *weighed) == ["38"]


def test_a_copy_filled_with_another_value_is_a_side() -> None:
    first = said("The Orbeck flood killed [36 people], the mayor said.", "a.txt", group="g")
    second = said("The Orbeck flood killed [51 people], the mayor said.", "b.txt", 9.0, group="g")
    assert others(HOW_MANY, first, second) == ["51 people"]


def test_another_sentence_of_a_copy_is_no_side() -> None:
    first = said("The Orbeck flood killed [36 people], the mayor said.", "a.txt", group="g")
    second = said("By Friday the dead of the Orbeck flood were [51], and rain fell.", "b.txt", 9.0, group="g")
    assert others(HOW_MANY, first, second) == []


@pytest.mark.parametrize(
    ("query", "one", "other"),
    [
        (HOW_MANY, "The Orbeck flood killed [36 people].", "In the Orbeck flood [51 people] were hurt."),
        (
            "What was the jobless rate in Galdor in 2024?",
            "The jobless rate in Galdor was [5 percent] in 2024.",
            "The jobless rate in Galdor was [7 percent] in 2022.",
        ),
        (
            "How many flats were built in 2023?",
            "In Arnvik [640 flats] were built in 2023.",
            "In Sundhaven [210 flats] were built in 2023.",
        ),
        (
            "How many flats were built in Arnvik?",
            "In Arnvik [640 flats] were built.",
            "Along the coast [2,100 flats] were built.",
        ),
        (
            "How much wool does Ferrand export?",
            "Ferrand exports [9,000 tonnes] of wool.",
            "Ferrand imports [2,500 tonnes] of wool.",
        ),
        (
            "How many trees does Obervale have?",
            "Obervale has planted [30,000 trees].",
            "Obervale will plant [75,000 trees].",
        ),
        (HOW_MANY, "The Orbeck flood killed [36 people].", "The Orbeck flood killed [more than 30 people]."),
        (HOW_MANY, "The Orbeck flood killed [36 people].", "The Orbeck flood killed people on [three days]."),
    ],
)
def test_figures_about_other_matters_are_no_sides(query: str, one: str, other: str) -> None:
    assert others(query, said(one, "a.txt"), said(other, "b.txt", 9.5)) == []


def test_what_is_not_of_the_kind_that_is_asked_for_is_no_side() -> None:
    weighed = [said("Orbeck fell [asleep].", "a.txt"), said("Orbeck fell in [1871].", "b.txt", 9.0)]
    assert others("When did Orbeck fall?", *weighed) == []


def test_days_differ_where_they_are_asked_for() -> None:
    query = "When did the Brenholm tower fall?"
    one = said("The Brenholm tower fell on [Tuesday].", "a.txt", published="2026-01-09")
    assert others(query, one, said("The Brenholm tower fell on [January 7].", "b.txt", 9.0, published="2026-01-10"))
    assert not others(query, one, said("The Brenholm tower fell on [January 6].", "b.txt", 9.0, published="2026-01-10"))


def test_two_names_differ_only_where_one_is_asked_for_and_both_have_the_same_place() -> None:
    won = [
        said("The cup was won by [Selma Okonjo].", "a.txt"),
        said("The cup was won by [Greta Hollis].", "b.txt", 9.0),
    ]
    assert others("Who won the cup?", *won) == ["Greta Hollis"]
    spoke = [said("At the gate [Ramon Teller] spoke.", "a.txt"), said("At the gate [Joan Brisk] spoke.", "b.txt", 9.0)]
    assert others("Which people spoke at the gate?", *spoke) == []
    sang = said("Choirs sang it on the square, led by [Lene Garrow].", "b.txt", 9.0)
    assert others("Who wrote the hymn?", said("The hymn was written by [Pavel Ordin].", "a.txt"), sang) == []


def test_different_statements_do_not_differ() -> None:
    query = "Why was the theatre closed?"
    one = said("The theatre closed because [its roof may fall in].", "a.txt")
    assert others(query, one, said("The theatre closed because [nobody came].", "b.txt", 9.0)) == []


def test_one_statement_in_nearly_the_same_words_is_one_evidence() -> None:
    query = "Why was the theatre closed?"
    one = said("The theatre was closed because [its old roof may fall in].", "a.txt")
    again = said("The theatre was closed because [that roof is about to fall].", "b.txt", 9.0)
    assert counts(gather(query, [one, again])) == [("its old roof may fall in", 2, 2)]


FIGURES = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=8)


def _world(figures: list[tuple[int, int, int]]) -> list[Weighed]:
    """A document for each (figure, group, weight), best first."""
    made = [
        said(f"The Orbeck flood killed [{figure * 10} people].", f"{n}.txt", weight / 10, group=f"g{group}")
        for n, (figure, group, weight) in enumerate(figures)
    ]
    return sorted(made, key=lambda one: -one.weight)


@given(FIGURES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_the_others_does_not_matter(figures: list[tuple[int, int, int]], dice: random.Random) -> None:
    best, *rest = _world(figures)
    shuffled = dice.sample(rest, len(rest))
    evidence = gather(HOW_MANY, [best, *rest])
    assert evidence == gather(HOW_MANY, [best, *shuffled])


@given(FIGURES)
@settings(max_examples=40)
def test_another_copy_never_raises_the_number_of_independent_witnesses(figures: list[tuple[int, int, int]]) -> None:
    weighed = _world(figures)
    copied = weighed[0].candidate.passage
    again = replace(copied, id=9_999, document=replace(copied.document, id="doc_copy", uri="copy.txt"))
    copy = replace(weighed[0], candidate=replace(weighed[0].candidate, passage=again))
    before, after = gather(HOW_MANY, weighed), gather(HOW_MANY, [weighed[0], copy, *weighed[1:]])
    assert [one.independent for one in after] == [one.independent for one in before]
    assert after[0].documents == before[0].documents + 1


@given(FIGURES)
@settings(max_examples=40)
def test_every_candidate_is_a_witness_of_one_evidence(figures: list[tuple[int, int, int]]) -> None:
    weighed = _world(figures)
    found = [one for evidence in gather(HOW_MANY, weighed) for one in evidence.witnesses]
    assert sorted(w.candidate.passage.document.uri for w in found) == sorted(
        w.candidate.passage.document.uri for w in weighed
    )


@given(st.text(min_size=1, max_size=80), st.text(max_size=80), st.integers(0, 80), st.integers(0, 80))
@settings(max_examples=60)
def test_any_text_agrees_with_its_repetition(text: str, query: str, a: int, b: int) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    whole = Sentence(Span(0, len(text)), Kind.BODY)
    weighed = []
    for number, uri in enumerate(("a.txt", "b.txt")):
        piece = Passage(number, document(text, uri=uri), whole.span, (whole,), text)
        weighed.append(Weighed(Candidate(piece, whole, Span(start, end), 5.0), UNSEEN, 10.0))
    evidence = gather(query, weighed)
    assert sum(one.documents for one in evidence) == 2
    assert rivals(query, evidence, POLICY) == []
