from collections.abc import Sequence

import pytest

from index.errors import QuestionError
from index.types import Filter, Passage
from qa.calibrate import Calibration
from qa.further import FurtherPolicy
from qa.read import best_first
from qa.risk import SILENT, Kept
from qa.service import AnswerService, Policy, SecondLook
from qa.types import LONGEST_QUESTION, Answer, Candidate, NoAnswer, Question, Turn
from tests.world import ListStore, by_score, kept, passage

BAN = passage("China announced the export ban on January 6. It was sudden.", number=1, uri="ban.txt")
CATS = passage("Cats sleep for most of the day.", number=2, uri="cats.txt")
CAPTION = passage(
    "File photo: a mine where the export ban was announced. Photo by A. Reporter", number=3, uri="mine.txt"
)
CREDIT = passage("Reported by Export Ban Announced; translated by Others", number=4, uri="credit.txt")


class WordReader:
    """Scores every sentence by the words it shares with the query, and remembers what it was given."""

    fingerprint = "words"

    def __init__(self) -> None:
        self.helpings: list[list[str]] = []

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        self.helpings.append([p.document.uri for p in passages])
        words = set(query.lower().strip("?").split())
        return best_first(
            [
                Candidate(p, s, s.span, float(len(words & set(p.slice(s.span).lower().strip(".").split()))))
                for p in passages
                for s in p.sentences
            ]
        )


CURVE = (Kept(None, 0.4, 0.9, 0.2, 0.3), Kept(None, 0.9, 0.5, 0.05, 0.1), Kept(None, SILENT, 0.0, 0.0, 1.0))
"""Half of the answerable are answered at a risk of 0.1, nine tenths at one of 0.3."""


def service(reader: WordReader, policy: Policy | None = None, threshold: float = 0.5) -> AnswerService:
    """A service that is even at a score of 2."""
    return AnswerService(
        reader,
        Calibration("words", by_score(2.0), by_score(2.0), 0.0, -4.0, kept(threshold), CURVE),
        policy,
    )


def test_a_question_that_the_sources_answer_is_answered_in_their_words() -> None:
    asked = service(WordReader()).ask(Question("When was the export ban announced?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, Answer)
    assert asked.reply.citations[0].quote == "China announced the export ban on January 6."
    assert asked.reply.understood.generation == 7


def test_says_nothing_when_the_sources_do_not() -> None:
    asked = service(WordReader()).ask(Question("Who won the football match?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, NoAnswer)
    assert len(asked.reply.nearest) == 2


def test_a_higher_threshold_never_turns_silence_into_an_answer() -> None:
    question = Question("What about the ban?")
    answered = [
        isinstance(service(WordReader(), threshold=t).ask(question, ListStore([BAN])).reply, Answer)
        for t in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
    ]
    assert answered == sorted(answered, reverse=True)


def test_an_empty_library_says_nothing() -> None:
    asked = service(WordReader()).ask(Question("When was the ban?"), ListStore([]))
    assert isinstance(asked.reply, NoAnswer)
    assert (asked.reply.nearest, asked.reply.confidence) == ((), 0.0)


@pytest.mark.parametrize("furniture", [CAPTION, CREDIT])
def test_captions_and_credit_lines_do_not_answer_questions_about_the_story(furniture: Passage) -> None:
    reply = service(WordReader()).ask(Question("When was the export ban announced?"), ListStore([furniture])).reply
    assert isinstance(reply, NoAnswer)
    assert reply.nearest == ()


def test_a_caption_answers_a_question_about_the_picture() -> None:
    reply = service(WordReader()).ask(Question("Is a mine in the file photo?"), ListStore([CAPTION, BAN])).reply
    assert isinstance(reply, Answer)
    assert reply.citations[0].document.uri == "mine.txt"


def test_a_credit_line_answers_who_translated() -> None:
    question = Question("Who was it reported by and translated by?")
    reply = service(WordReader()).ask(question, ListStore([CREDIT, BAN])).reply
    assert isinstance(reply, Answer)
    assert reply.citations[0].document.uri == "credit.txt"


@pytest.mark.parametrize(
    ("question", "helpings"),
    [
        ("When was the export ban announced", 1),  # as good as certain after the first passage
        ("Was the ban lifted", 2),  # undecided
        ("Football", 1),  # nothing near it
    ],
)
def test_reading_goes_on_only_while_the_matter_is_undecided(question: str, helpings: int) -> None:
    reader = WordReader()
    policy = Policy(helpings=(1, 1), near=1.0)
    service(reader, policy, 0.6).ask(Question(question), ListStore([BAN, CATS]))
    assert len(reader.helpings) == helpings


@pytest.mark.parametrize(("near", "read"), [(0.6, [["ban.txt"], ["cats.txt"]]), (0.4, [["ban.txt"]])])
def test_what_was_found_far_below_the_best_is_not_read_after_the_first_helping(
    near: float, read: list[list[str]]
) -> None:
    reader = WordReader()
    # Both are as near; only the first one shares words with the question, which is worth half a cosine.
    service(reader, Policy(helpings=(1, 1), near=near), 0.6).ask(Question("Was the ban lifted"), ListStore([BAN, CATS]))
    assert reader.helpings == read


def test_the_first_helping_is_read_however_far_apart_it_is() -> None:
    reader = WordReader()
    service(reader, Policy(helpings=(2,), near=0.0), 0.6).ask(Question("Was the ban lifted"), ListStore([BAN, CATS]))
    assert reader.helpings == [["ban.txt", "cats.txt"]]


def test_a_follow_up_is_read_with_its_topic() -> None:
    before = Turn("When was the export ban announced?", "When was the export ban announced?", ("…",), "January 6")
    asked = service(WordReader()).ask(Question("Was it sudden?", (before,)), ListStore([BAN]))
    assert asked.reply.understood.question == "Was it sudden?"
    assert "export ban" in asked.reply.understood.standalone


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(" \n "), "empty"),
        (Question("x" * (LONGEST_QUESTION + 1)), r"2001 characters, 2000 are allowed"),
        (Question("Why?", max_citations=0), "max_citations is 0"),
        (Question("Why?", max_citations=11), "max_citations is 11"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_the_reason(question: Question, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        service(WordReader()).ask(question, ListStore([BAN]))


@pytest.mark.parametrize(
    ("risk", "threshold", "answered"), [(None, 0.5, True), (0.3, 0.4, True), (0.1, 0.9, False), (0.05, SILENT, False)]
)
def test_a_risk_settles_how_sure_an_answer_has_to_be(risk: float | None, threshold: float, answered: bool) -> None:
    question = Question("When was the ban?", risk=risk)
    reply = service(WordReader()).ask(question, ListStore([BAN])).reply
    assert isinstance(reply, Answer) == answered
    assert reply.understood.kept.threshold == threshold
    assert reply.understood.kept.target == risk


@pytest.mark.parametrize("risk", [0.0, -0.1, 1.01, float("nan")])
def test_a_risk_that_is_no_share_is_refused(risk: float) -> None:
    with pytest.raises(QuestionError, match="risk is"):
        service(WordReader()).ask(Question("Why?", risk=risk), ListStore([BAN]))


def test_a_rehearsal_gives_an_answer_after_each_helping_however_unsure() -> None:
    question, store = Question("Football and cats"), ListStore([CATS, BAN])
    hopeless = service(WordReader(), Policy(helpings=(1, 1), near=1.0))
    assert isinstance(hopeless.ask(question, store).reply, NoAnswer)
    rehearsed = list(hopeless.rehearse(question, store))
    assert [answer.citations[0].document.uri for answer in rehearsed] == ["cats.txt", "cats.txt"]
    assert all(0.0 < answer.confidence < 0.5 for answer in rehearsed)


def test_search_returns_passages_without_reading_them() -> None:
    reader = WordReader()
    found = service(reader).search(Question("export ban", where=Filter()), ListStore([CATS, BAN]))
    assert [r.hit.rank for r in found] == [1, 2]
    assert reader.helpings == []


def test_another_source_is_heard_once_it_is_known_that_the_service_answers() -> None:
    other = passage("The export ban was announced on January 7.", number=5, uri="other.txt")
    reader = WordReader()
    policy = Policy(helpings=(1,), further=FurtherPolicy(most=1))
    asked = service(reader, policy).ask(Question("When was the export ban announced"), ListStore([BAN, CATS, other]))
    assert reader.helpings == [["ban.txt"], ["other.txt"]]
    assert [one.candidate.passage.document.uri for one in asked.considered.heard] == ["other.txt"]


def test_hearing_others_changes_neither_the_best_answer_nor_its_confidence() -> None:
    louder = passage("When was the export ban announced again? The export ban was announced.", number=5, uri="b.txt")
    question, store = Question("When was the export ban announced"), ListStore([BAN, CATS, louder])
    alone, heard = (
        service(WordReader(), Policy(helpings=(1,), further=FurtherPolicy(most=most))).ask(question, store)
        for most in (0, 2)
    )
    assert heard.considered.heard != alone.considered.heard == ()
    assert heard.considered.weighed == alone.considered.weighed
    assert heard.reply.confidence == alone.reply.confidence
    assert isinstance(heard.reply, Answer)
    assert heard.reply.citations[0].document.uri == "ban.txt"


def test_nobody_else_is_heard_where_the_service_says_nothing() -> None:
    reader = WordReader()
    asked = service(reader, Policy(helpings=(1,))).ask(Question("Football"), ListStore([BAN, CATS]))
    assert isinstance(asked.reply, NoAnswer)
    assert len(reader.helpings) == 1
    assert asked.considered.heard == ()


class SecondReader(WordReader):
    """Finds nothing but one sentence of what it is shown, with a score of its own."""

    fingerprint = "second"

    def __init__(self, sentence: str, score: float) -> None:
        super().__init__()
        self.sentence, self.score = sentence, score
        self.shown: list[str] = []

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        self.shown += [p.text for p in passages]
        return [
            Candidate(p, s, s.span, self.score)
            for p in passages
            for s in p.sentences
            if p.slice(s.span) == self.sentence
        ]


def looking_again(
    second: SecondReader,
    look: SecondLook | None = None,
    reader: WordReader | None = None,
    helpings: tuple[int, ...] = Policy().helpings,
) -> AnswerService:
    reader = WordReader() if reader is None else reader
    table = Calibration("words+second", by_score(2.0), by_score(2.0), 0.0, -4.0, kept(0.5), CURVE)
    policy = Policy(helpings=helpings, second=SecondLook() if look is None else look)
    return AnswerService(reader, table, policy, second)


def test_what_the_second_reader_finds_takes_the_place_of_what_the_first_one_found() -> None:
    second = SecondReader("It was sudden.", 4.0)
    asked = looking_again(second).ask(Question("When was the export ban announced?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, Answer)
    of_the_ban = [one.candidate for one in asked.considered.weighed if one.candidate.passage.document == BAN.document]
    assert [candidate.quote for candidate in of_the_ban] == ["It was sudden."]
    highlight = asked.reply.citations[0].highlight
    assert highlight is not None
    assert of_the_ban[0].span.covers(highlight)
    assert second.shown == [BAN.text]


def test_what_the_second_reader_doubts_is_not_said() -> None:
    second = SecondReader("China announced the export ban on January 6.", 0.1)
    asked = looking_again(second).ask(Question("When was the export ban announced?"), ListStore([BAN]))
    assert isinstance(asked.reply, NoAnswer)


def test_what_the_first_reader_holds_for_hopeless_is_not_looked_at_again() -> None:
    second = SecondReader("It was sudden.", 9.0)
    asked = looking_again(second).ask(Question("Who won which football match?"), ListStore([CATS, BAN]))
    assert isinstance(asked.reply, NoAnswer)
    assert second.shown == []


def test_a_service_without_a_second_look_never_asks_the_second_reader() -> None:
    second = SecondReader("It was sudden.", 9.0)
    looking_again(second, SecondLook(looks=())).ask(Question("When was the export ban?"), ListStore([BAN]))
    assert second.shown == []


def test_other_places_are_looked_at_until_the_answer_is_sure_or_as_often_as_the_policy_allows() -> None:
    question = Question("When was the export ban announced in China?")
    other = passage("The export ban was announced in China on a Tuesday.", number=9, uri="other.txt")
    for looks, shown in (((1,), 1), ((2,), 2), ((5,), 2), ((1, 1), 1)):
        second = SecondReader("no such sentence", 0.0)
        looking_again(second, SecondLook(looks=looks)).ask(question, ListStore([BAN, other]))
        assert len(second.shown) == shown
        assert len(set(second.shown)) == shown
    sure = SecondReader("The export ban was announced in China on a Tuesday.", 9.0)
    looking_again(sure, SecondLook(looks=(5,))).ask(question, ListStore([BAN, other]))
    assert sure.shown == [other.text]


def test_what_was_looked_at_in_one_passage_is_not_looked_at_in_another_that_shares_it() -> None:
    text = "China announced the export ban on January 6."
    second = SecondReader("", 0.0)
    shared = ListStore([passage(text, number=1), passage(text, number=2)])
    looking_again(second, SecondLook(looks=(5,))).ask(Question("When was the export ban announced?"), shared)
    assert second.shown == [text]


def test_what_the_second_reader_said_holds_when_a_later_passage_shares_the_part() -> None:
    text = "China announced the export ban on January 6."
    second = SecondReader(text, 1.5)
    shared = ListStore([passage(text, number=1), passage(text, number=2)])
    service = looking_again(second, SecondLook(looks=(1,)), helpings=(1, 1))
    asked = service.ask(Question("When was the export ban announced in China?"), shared)
    assert [one.candidate.score for one in asked.considered.weighed] == [1.5]
    assert isinstance(asked.reply, NoAnswer)


def test_nobody_looks_fewer_times_than_never() -> None:
    with pytest.raises(ValueError, match="-1 times"):
        SecondLook(looks=(1, -1))


def test_the_second_reader_is_shown_the_sentence_with_those_beside_it() -> None:
    text = "Nothing happened for weeks. Then China announced the export ban on January 6. It was sudden. Trade fell."
    second = SecondReader("", 0.0)
    looking_again(second, SecondLook(characters=75)).ask(
        Question("When was the export ban announced?"), ListStore([passage(text)])
    )
    assert second.shown == ["Then China announced the export ban on January 6. It was sudden."]


def test_a_service_is_named_by_both_of_its_readers() -> None:
    assert looking_again(SecondReader("", 0.0)).reader == "words+second"
    assert service(WordReader()).reader == "words"
