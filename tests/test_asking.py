"""Questions made for training: turned round, crossed, and put in other words."""

from __future__ import annotations

from random import Random

import pytest

from training.asking import Verbs, crossed, recast, statement, turned
from training.decisions import Decisions
from training.examples import Articles, Cutter, Mixture, Row

TEXTS = ["They announce it. We announce that. He can announce this, and announce more, and announce again."]
VERBS = Verbs(TEXTS)
PARAGRAPH = (
    "The old bridge was closed to traffic in March. The ferry was repaired by a firm from the islands. Nobody was hurt "
    "on that day, because the road had been empty since noon and the wind had kept the walkers at home."
)
ROW = Row("Bridges", PARAGRAPH, "What was closed?", "The old bridge", 0, 1)


class Longest(Random):
    """Draws that never shorten a question."""

    def random(self) -> float:
        return 0.9


@pytest.mark.parametrize(
    ("sentence", "question", "decisive"),
    [
        ("The old bridge was closed to traffic in March.", "Was the old bridge closed to traffic in March?",
         "was closed to traffic in March"),
        ("Civilian users of such goods will not be affected, the spokesman said.",
         "Will civilian users of such goods be affected?", "will not be affected"),
        ("Mary Long announced a new plan for the harbour on Monday.",
         "Did mary Long announce a new plan for the harbour on Monday?",
         "announced a new plan for the harbour on Monday"),
        ("Tom Reed took office in the spring of that year.", "Did tom Reed take office in the spring of that year?",
         "took office in the spring of that year"),
    ],
)  # fmt: skip
def test_a_statement_is_turned_into_the_question_that_it_decides(sentence: str, question: str, decisive: str) -> None:
    one = statement(sentence, VERBS)
    assert one is not None
    assert (turned(one, Longest()), sentence[slice(*one.decisive)]) == (question, decisive)


@pytest.mark.parametrize(
    "sentence",
    [
        "It was closed to traffic in the month of March.",
        "In March the bridge was closed to all the traffic.",
        "The bridge, which was old, was closed to traffic.",
        "He said that the bridge had been closed for weeks.",
        "The bridge was closed.",
    ],
)
def test_what_is_not_simple_enough_is_left_alone(sentence: str) -> None:
    assert statement(sentence, VERBS) is None


def test_two_statements_are_crossed_only_if_they_fit_and_are_about_different_things() -> None:
    bridge, ferry = (statement(s.strip() + ".", VERBS) for s in PARAGRAPH.split(".")[:2])
    assert bridge is not None
    assert ferry is not None
    assert crossed(bridge, ferry, Longest()) == "Was the old bridge repaired by a firm from the islands?"
    assert crossed(bridge, bridge, Longest()) is None


def test_decided_questions_have_their_words_and_undecided_ones_have_none() -> None:
    decisions = Decisions([ROW], Cutter(Articles([ROW]), Mixture(shortest=5, longest=12)))
    for seed in range(20):
        yes, no = decisions.decided(ROW, Random(seed)), decisions.undecided(ROW, Random(seed))
        assert yes is not None
        assert yes.span is not None
        assert yes.passage[slice(*yes.span)].startswith("was ")
        assert yes.passage in PARAGRAPH
        if no is not None:
            assert no.span is None
            about = "bridge" if "bridge" in no.question else "ferry"
            said = "closed" if "closed" in no.question else "repaired"
            assert f"{about} was {said}" not in no.passage


def test_other_words_keep_what_is_asked() -> None:
    for seed in range(50):
        said = recast("Who closed the bridge's gate in 1921?", Random(seed))
        assert "1921" in said
        assert sum(word in said.lower() for word in ("who", "closed", "gate", "bridge")) >= 3
