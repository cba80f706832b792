"""Words as they are searched by."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from index.terms import analyze, terms

LONG = "The ministries' contracts were announced, and the Contract was signed in Málaga on 6 January."


def test_terms_are_stemmed_lower_case_and_without_accents() -> None:
    assert terms("Contracts announced in Málaga") == ["contract", "announc", "in", "malaga"]


def test_repeats_stay_in_terms_and_fall_away_in_an_analysis() -> None:
    assert terms(LONG).count("contract") == 2
    assert analyze(LONG) == list(dict.fromkeys(terms(LONG)))


def test_what_a_caller_does_to_the_terms_of_a_word_reaches_no_other() -> None:
    terms("contracts").append("mine")
    assert terms("contracts") == ["contract"]


def test_threads_that_analyse_at_once_do_not_disturb_one_another() -> None:
    texts = [LONG, "contracts", "Six", LONG * 3]
    expected = [terms(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: terms(texts[number % 4]), range(400)))
    assert found == [expected[number % 4] for number in range(400)]
