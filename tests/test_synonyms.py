"""Questions in words that the text does not use, with a WordNet of six words."""

import random
from pathlib import Path

import pytest

from training.examples import Mixture, Row
from training.stream import Stream
from training.synonyms import Synonyms

LICENCE = "  1 This software and database is being provided to you, the LICENSEE\n"
# One line a sense: part of speech, number of the sense, its words with how often each is meant so.
SENSES = [
    ("noun", "00000001", {"firm": 9, "company": 4, "house": 0}),
    ("noun", "00000002", {"company": 1, "fellowship": 1}),
    ("verb", "00000003", {"cancel": 5, "scrap": 3}),
    ("noun", "00000004", {"scrap": 1}),
    ("noun", "00000005", {"Paris": 3, "capital": 2}),
    ("noun", "00000006", {"end": 9, "close": 1}),
    ("verb", "00000007", {"end": 8, "finish": 2}),
    ("adj", "00000008", {"quick": 2, "fast": 2, "speedy": 1, "hell-for-leather": 1}),
]
WRITTEN = " ".join(
    ["firm company firms companies scrapped scrapping scraps cancelled house fast quick capital finish end close"] * 30
)


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    digits = {"noun": "1", "verb": "2", "adj": "3", "adv": "4"}
    data: dict[str, list[str]] = {part: [] for part in digits}
    index: dict[str, dict[str, list[str]]] = {part: {} for part in digits}
    keys = []
    for part, number, words in SENSES:
        listed = " ".join(f"{word} 0" for word in words)
        data[part].append(f"{number} 29 {part[0]} {len(words):02x} {listed} 000 | what it means\n")
        for word, count in words.items():
            index[part].setdefault(word.lower(), []).append(number)
            keys.append(f"{word.lower()}%{digits[part]}:29:00:: {number} 1 {count}\n")
    for part in digits:
        (tmp_path / f"data.{part}").write_text(LICENCE + "".join(data[part]))
        lines = [
            f"{word} {part[0]} {len(at)} 0 {len(at)} 1 {' '.join(at)}  \n" for word, at in sorted(index[part].items())
        ]
        (tmp_path / f"index.{part}").write_text(LICENCE + "".join(lines))
    (tmp_path / "index.sense").write_text("".join(sorted(keys)))
    return tmp_path


@pytest.fixture
def synonyms(wordnet: Path) -> Synonyms:
    return Synonyms(wordnet, [WRITTEN])


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("firm", ("company", "house")),
        ("firms", ("companies",)),  # "houses" is nowhere written
        ("canceled", ("scrapped",)),
        ("cancelling", ("scrapping",)),
        ("cancels", ("scraps",)),
        ("quick", ("fast",)),  # "speedy" is nowhere written, and the last one is more than a word
        ("paris", ()),
        ("end", ()),  # a noun as often as a verb
        ("unheard", ()),
    ],
)
def test_a_word_gives_way_to_those_of_its_commonest_sense_in_its_own_form(
    synonyms: Synonyms, word: str, others: tuple[str, ...]
) -> None:
    assert synonyms.of(word) == others


def test_names_and_what_is_asked_for_stay(synonyms: Synonyms) -> None:
    draw = random.Random(1)
    found = synonyms.reworded("Which quick Firm canceled all that Paris made?", 1.0, draw)
    assert found == "Which fast Firm scrapped all that Paris made?"
    assert synonyms.reworded("Which firm?", 0.0, draw) == "Which firm?"


def test_of_a_stream_as_many_questions_are_reworded_with_an_answer_as_without(synonyms: Synonyms) -> None:
    context = "The firm was quick. It made ships for many years in that town."
    rows = [Row("Ships", context, "Was the firm quick?", answer, 0, 1) for answer in ("The firm", None)] * 2
    mixture = Mixture(400, 0, 400, 0, 0, 0, 0, recast=0.0, reworded=0.5, bare_question=0.0)
    block = Stream(rows, mixture, 3, synonyms).block(0)
    for answered in (True, False):
        asked = [one.question for one in block if (one.span is not None) == answered]
        assert len(asked) == 400
        share = sum(question != "Was the firm quick?" for question in asked) / len(asked)
        assert 0.3 < share < 0.55
    assert {one.question for one in Stream(rows, mixture, 3).block(0)} == {"Was the firm quick?"}
