import math

import pytest

from qa.evaluate import evaluate
from qa.evaluation.labelled import Gold, Labelled
from qa.evaluation.outcomes import Verdict
from tests.test_service import BAN, CATS, WordReader, service
from tests.world import ListStore

STORE = ListStore([BAN, CATS])


def labelled(
    text: str,
    *,
    quote: str | None = None,
    document: str = "ban.txt",
    facts: tuple[str, ...] = (),
    short: str | None = None,
    conversation: str | None = None,
) -> Labelled:
    gold = () if quote is None else (Gold(document, quote),)
    return Labelled(text, bool(gold or facts), gold, facts, short, conversation)


ASKED = "When was the export ban announced?"
QUOTE = "China announced the export ban on January 6."


def test_a_quote_that_overlaps_the_gold_quote_is_right() -> None:
    (outcome,) = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader()), STORE).outcomes
    assert (outcome.right, outcome.right_document, outcome.good) == (True, True, True)


def test_the_right_words_of_another_document_are_not() -> None:
    (outcome,) = evaluate([labelled(ASKED, quote=QUOTE, document="x.txt")], service(WordReader()), STORE).outcomes
    assert (outcome.answered, outcome.right, outcome.right_document) == (True, False, False)


def test_a_fact_in_a_quote_is_right_whatever_the_document() -> None:
    (outcome,) = evaluate([labelled(ASKED, facts=("january 6",))], service(WordReader()), STORE).outcomes
    assert outcome.right


def test_a_gold_quote_with_other_spacing_is_compared_by_its_words() -> None:
    gold = "China  announced the export ban on January 6."
    (outcome,) = evaluate([labelled(ASKED, quote=gold)], service(WordReader()), STORE).outcomes
    assert outcome.right


def test_silence_is_good_only_where_there_is_no_answer() -> None:
    asked = [labelled("Who won the football match?"), labelled("Who lost the football match?", quote=QUOTE)]
    first, second = evaluate(asked, service(WordReader()), STORE).outcomes
    assert (first.good, second.good) == (True, False)


def test_questions_of_one_conversation_follow_one_another() -> None:
    asked = [labelled(ASKED, quote=QUOTE, conversation="c"), labelled("Was it sudden?", facts=("x",), conversation="c")]
    report = evaluate(asked, service(WordReader()), STORE)
    alone = evaluate(asked[1:], service(WordReader()), STORE)
    assert "export ban" in report.outcomes[1].considered.query
    assert alone.outcomes[0].considered.query == "Was it sudden?"


def test_rates_are_over_the_questions_that_they_are_about() -> None:
    asked = [
        labelled(ASKED, quote=QUOTE, short="on January 6"),
        labelled("Who lost the football match?", quote=QUOTE),
        labelled("Who won the football match?"),
        labelled("When did China announce the export tax?"),
    ]
    rates = evaluate(asked, service(WordReader()), STORE).rates()
    assert (rates["questions"], rates["answerable"], rates["unanswerable"]) == (4, 2, 2)
    assert (rates["right"], rates["answered (of answerable)"]) == (0.5, 0.5)
    assert rates["right when answered"] == 0.5  # one right, and one answered that has no answer
    assert rates["silent (of unanswerable)"] == 0.5


def test_rates_over_nothing_are_none() -> None:
    rates = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader()), STORE).rates()
    assert rates["silent (of unanswerable)"] is None


def test_a_short_answer_that_is_the_gold_one_is_right_wherever_it_stands() -> None:
    sentence = QUOTE.rstrip(".")
    asked = [
        labelled(ASKED, quote="No such words.", document="x.txt", short=sentence),
        labelled(ASKED, quote="No such words.", document="x.txt", short="January 7"),
    ]
    right, wrong = evaluate(asked, service(WordReader()), STORE).outcomes
    assert (right.exact, right.right, right.overlaps_gold) == (1.0, True, False)
    assert (wrong.exact, wrong.right) == (0.0, False)


def test_an_answer_to_what_has_none_is_wrong_whatever_its_labels_say() -> None:
    asked = Labelled(ASKED, False, (Gold("ban.txt", QUOTE),), ("January 6",), QUOTE, None)
    (outcome,) = evaluate([asked], service(WordReader()), STORE).outcomes
    assert (outcome.answered, outcome.right, outcome.verdict) == (True, False, Verdict.WRONG)
    assert (outcome.ndcg, outcome.f1_or_zero) == (None, None)


@pytest.mark.parametrize(("quote", "would_be"), [(QUOTE, True), ("It was sudden.", False)])
def test_what_was_kept_back_is_judged_by_the_best_sentence_found(quote: str, would_be: bool) -> None:
    silent = service(WordReader(), threshold=0.999999)
    (outcome,) = evaluate([labelled(ASKED, quote=quote)], silent, STORE).outcomes
    assert (outcome.answered, outcome.right, outcome.would_be_right) == (False, False, would_be)
    assert outcome.verdict == Verdict.SILENT


def test_an_empty_library_has_nothing_to_guess() -> None:
    (outcome,) = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader()), ListStore([])).outcomes
    assert (outcome.would_be_right, outcome.confidence, outcome.ndcg, outcome.recall) == (False, 0.0, 0.0, 0.0)


def test_passages_count_where_they_overlap_a_gold_quote() -> None:
    # Both rankings of the store hold the ban first and the cats second.
    asked = [
        labelled(ASKED, quote=QUOTE),
        labelled(ASKED, quote="Cats sleep for most of the day.", document="cats.txt"),
    ]
    first, second = evaluate(asked, service(WordReader()), STORE).outcomes
    assert (first.ndcg, first.recall) == (1.0, 1.0)
    assert second.ndcg == pytest.approx(1 / math.log2(3))
    assert second.recall == 1.0


def test_a_gold_quote_that_no_passage_holds_is_one_that_is_missing() -> None:
    gold = (Gold("ban.txt", QUOTE), Gold("lost.txt", "Nobody has this."))
    (outcome,) = evaluate([Labelled(ASKED, True, gold, (), None, None)], service(WordReader()), STORE).outcomes
    assert outcome.ndcg == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert outcome.recall == 0.5


def test_without_a_gold_quote_there_is_nothing_to_rank() -> None:
    (outcome,) = evaluate([labelled(ASKED, facts=("January 6",))], service(WordReader()), STORE).outcomes
    assert (outcome.ndcg, outcome.recall, outcome.overlaps_gold) == (None, None, None)


def test_the_report_names_generation_and_threshold() -> None:
    report = evaluate([labelled(ASKED, quote=QUOTE)], service(WordReader(), threshold=0.4), STORE)
    assert (report.generation, report.threshold) == (7, 0.4)
    assert evaluate([], service(WordReader()), STORE).threshold is None
