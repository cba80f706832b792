from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.followup import LONGEST, depends, standalone, turns_of
from qa.types import Turn


def turn(question: str, answer: str | None = None, *quotes: str, raw: str | None = None) -> Turn:
    """Return a turn that asked `question`, in other words than these if `raw` is given."""
    return Turn(question if raw is None else raw, question, quotes, answer)


BAN = turn("When did China announce the export ban?", "January 6", "China announced the ban on January 6.")
SPEAKER = turn("Who spoke for the ministry?", "spokesperson He Yadong", "He Yadong spoke for the ministry.")
LIMITS = turn("Which imports of seafood does China limit?")


def test_the_first_question_stands_as_it_is() -> None:
    assert standalone("And the existing ones?", []) == "And the existing ones?"


@pytest.mark.parametrize(
    "question",
    [
        "Which seafood imports does China limit?",
        "What is a transformer?",
        "Who is Marie Curie?",
        "Tell me about blue whales.",
        "Is there a ban on exports to Japan?",
        "Is it true that Japan exports seafood?",
        "How much does it cost to build a house?",
        "Does the One China principle apply to trade?",
        "What does the One China principle say?",
        "What did Prime Minister Takaichi say about her country's defence?",
        "What is CBT and how does it work?",
        "What is the capital of France?",
        "Hello",
    ],
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert standalone(question, [BAN]) == question
    assert not depends(question)


@pytest.mark.parametrize(
    "question",
    [
        "And the existing ones?",
        "What about Japan?",
        "Why?",
        "What did she say?",
        "When was that?",
        "Where?",
        "Seafood?",
    ],
)
def test_these_lean_on_what_was_said_before(question: str) -> None:
    assert depends(question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Why?", "Why did China announce the export ban?"),
        ("where exactly?", "Where exactly did China announce the export ban?"),
        ("And how?", "How did China announce the export ban?"),
        ("Since when?", "Since when did China announce the export ban?"),
    ],
)
def test_a_bare_question_word_asks_the_previous_question_anew(question: str, expected: str) -> None:
    assert standalone(question, [BAN]) == expected


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        (turn("How many loans did Duran take out?"), "From how many banks?",
         "From how many banks did Duran take out loans?"),
        (turn("Which controls did China announce in May?"), "Why?", "Why did China announce controls in May?"),
        (turn("Who found the bottle?", "Konrad Fischer"), "When?", "When was it that Konrad Fischer found the bottle?"),
        (turn("What names were given to the elements?"), "When was that?", "When were names given to the elements?"),
        (turn("Is chilli a stew?"), "Why?", "Why is chilli a stew?"),
    ],
)  # fmt: skip
def test_what_was_asked_before_gives_way_to_the_new_question_word(earlier: Turn, question: str, expected: str) -> None:
    assert standalone(question, [earlier]) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("in 2014?", "How many contracts did Wang Yi sign in 2014?"),
        ("And in 2014?", "How many contracts did Wang Yi sign in 2014?"),
        ("And Lin Jian?", "How many contracts did Lin Jian sign in 2013?"),
        ("What did he say about trade?", "What did Wang Yi say about trade?"),
        ("How many treaties?", "How many treaties did Wang Yi sign in 2013?"),
    ],
)
def test_what_is_of_the_same_kind_takes_its_place(question: str, expected: str) -> None:
    assert standalone(question, [turn("How many contracts did Wang Yi sign in 2013?", "12")]) == expected


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        ("How many people live in Iceland?", "And in Butare?", "How many people live in Butare?"),
        ("How many people live in Iceland?", "What about Kiruna?", "How many people live in Kiruna?"),
        ("When did Kenya join the treaty?", "What about Uganda?", "When did Uganda join the treaty?"),
        ("Is chilli a stew?", "How about goulash?", "Is goulash a stew?"),
        ("How many days do Japanese workers take?", "And British workers?", "How many days do British workers take?"),
        ("What happened to the man in Japan?", "And the women in Oregon?", "What happened to the women in Oregon?"),
    ],
)
def test_and_what_about_asks_the_same_of_another(earlier: str, question: str, expected: str) -> None:
    assert standalone(question, [turn(earlier)]) == expected


def test_what_has_no_place_in_the_earlier_question_gets_its_words() -> None:
    assert standalone("What about Kenya?", [BAN]) == "When did Kenya announce the export ban?"
    assert standalone("Seafood?", [BAN]) == "Seafood? (China announce export ban)"


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        (turn("Who founded the observatory?", "Gary Fildes"), "How old is he?", "How old is Gary Fildes?"),
        (turn("Who founded the observatory?", "Gary Fildes"), "Where is it?", "Where is the observatory?"),
        (turn("What did Kenton Cool say about Ueli Steck?"), "Which ridge did he climb?",
         "Which ridge did Ueli Steck climb?"),
        (turn("How many tigers are there in Nepal?"), "What do they eat?", "What do tigers in Nepal eat?"),
        (turn("Who wrote the story that UPI translated?"), "Do they allow copies of it?",
         "Do they allow copies of the story that UPI translated?"),
        (turn("And the people around Takaichi? (promoting since took office)"), "What will this do to peace?",
         "What will Takaichi do to peace?"),
        (turn("Who wrote the story that UPI translated?", "Asia Today"), "Do they allow copies of it?",
         "Does Asia Today allow copies of the story that UPI translated?"),
        (turn("How many winners are there?"), "How many of them work?", "How many winners work?"),
        (turn("Is throat cancer the same as lung cancer?"), "What are their symptoms?",
         "What are throat cancer and lung cancer's symptoms?"),
        (turn("Why does the town of Kiruna have to move?"), "How many people live there?",
         "How many people live in the town of Kiruna?"),
        (turn("Which institute found it?", "RIKEN Institute"), "Who led the research there?",
         "Who led the research at RIKEN Institute?"),
        (turn("What is he planning to build?", "an astrovillage"), "When will it open?",
         "When will an astrovillage open?"),
        (turn("What did Takaichi suggest in November?"), "How did China see that?",
         "How did China see what Takaichi suggested in November?"),
        (turn("Will the firms sign new contracts?"), "Is this the first time?",
         "Is this the first time that the firms will sign new contracts?"),
        (turn("How long will the refusal of contracts go on?"), "Who says so?",
         "Who says that the refusal of contracts will go on?"),
    ],
)  # fmt: skip
def test_a_pronoun_is_replaced_by_what_it_means(earlier: Turn, question: str, expected: str) -> None:
    assert standalone(question, [earlier]) == expected


def test_the_nearest_that_fits_is_meant_however_far_back() -> None:
    conversation = [SPEAKER, turn("How much seafood does Japan export?"), LIMITS]
    assert standalone("What did he say about trade?", conversation) == "What did He Yadong say about trade?"


def test_a_person_who_was_she_is_not_he() -> None:
    conversation = [
        turn("Who is the president of the club?", "Claude Michy"),
        turn("Who is the manager?", "Helena Costa"),
        turn("How old is Helena Costa?", raw="How old is she?"),
    ]
    assert standalone("Where was she born?", conversation) == "Where was Helena Costa born?"
    assert standalone("Where was he born?", conversation) == "Where was Claude Michy born?"


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        (turn("Will firms sign new supply contracts with Japan?"), "And the existing ones?",
         "Will firms sign the existing supply contracts with Japan?"),
        (turn("How many female names does Iceland recognize?"), "And how many male ones?",
         "How many male names does Iceland recognize?"),
        (turn("Which islands does Japan claim?", "Shikotan and Iturup"), "How big is the second one?",
         "How big is Iturup?"),
        (turn("Which cities did they visit?"), "Which was his favourite?", "Which city was his favourite?"),
        (turn("Does tea contain more caffeine than coffee?"), "Which is cheaper?",
         "Which of tea and coffee is cheaper?"),
        (turn("How many days of holiday do workers get?"), "How many do they use?",
         "How many days of holiday do workers use?"),
        (turn("Where is the youngest crust found?"), "What about the oldest?", "Where is the oldest crust found?"),
    ],
)  # fmt: skip
def test_a_noun_left_out_is_put_back(earlier: Turn, question: str, expected: str) -> None:
    assert standalone(question, [earlier]) == expected


@pytest.mark.parametrize(
    ("earlier", "question", "expected"),
    [
        ("What is anemia?", "What are the symptoms?", "What are the symptoms of anemia?"),
        ("Who opened the shop in Butare?", "Who is the manager?", "Who is the manager of the shop in Butare?"),
        ("What can I do around Ann Arbor?", "Are there any festivals?", "Are there any festivals in Ann Arbor?"),
        ("What was the Stanford Experiment?", "Who is the author of the experiment?",
         "Who is the author of the Stanford Experiment?"),
        ("Who was Anne Bonny?", "What happened to Anne?", "What happened to Anne Bonny?"),
    ],
)  # fmt: skip
def test_the_topic_is_carried_to_a_question_that_does_not_name_one(earlier: str, question: str, expected: str) -> None:
    found = standalone(question, [turn(earlier)])
    assert found == expected


def test_a_verb_behind_a_name_takes_no_noun_with_it() -> None:
    controls = turn("Why did China announce export controls on January 6?", "security", raw="Why?")
    assert standalone("Are they lawful?", [controls]) == "Are export controls lawful?"


def test_what_leans_on_a_question_about_a_picture_is_still_about_the_picture() -> None:
    shown = turn("What does the file photo show?", "a rare earth mine", "A file photo shows a rare earth mine.")
    where = standalone("Where is that?", [shown])
    assert where == "Where is a rare earth mine? (file photo)"
    assert standalone("And when was it taken?", [shown, turn(where, raw="Where is that?")]).endswith("(file photo)")
    assert standalone("What is the capital of France?", [shown]) == "What is the capital of France?"


def test_the_topic_is_dropped_when_another_is_named() -> None:
    conversation = [turn("What is anemia?"), turn("What are the symptoms of anemia?")]
    assert standalone("What is Bitcoin?", conversation) == "What is Bitcoin?"
    assert standalone("How is Bitcoin generated?", conversation) == "How is Bitcoin generated?"


def test_a_question_that_points_back_to_nothing_known_gets_the_words_of_the_last_turn() -> None:
    assert standalone("Did she agree?", [turn("How is oxygen transported?")]) == "Did she agree? (oxygen transported)"


def test_a_long_question_says_what_it_is_about() -> None:
    question = f"He said {'that it was so and ' * LONGEST}and why?"
    assert standalone(question, [SPEAKER]) == question


def test_turns_of_a_client_are_understood_one_after_the_other() -> None:
    pairs = [
        ("Who is the CEO of SeaWorld?", "“Joel Manby joined the company as CEO.” [1] “He is its head.” [2]"),
        ("When did he join?", None),
        ("Why?", ""),
    ]
    turns = turns_of(pairs)
    assert [one.standalone for one in turns] == [
        "Who is the CEO of SeaWorld?", "When did Joel Manby join?", "Why did Joel Manby join?",
    ]  # fmt: skip
    assert [one.quotes for one in turns] == [("Joel Manby joined the company as CEO.", "He is its head."), (), ()]
    assert all(one.short_answer is None for one in turns)


def test_of_a_very_long_conversation_only_the_end_is_worked_on() -> None:
    pairs = [(f"How many people live in town {number}? " + "x" * 2_000, "y " * 1_000) for number in range(1_000)]
    turns = turns_of([*pairs, ("How many people live in Kiruna?", None)])
    assert len(turns) < 50
    assert standalone("When was it founded?", turns) == "When was Kiruna founded?"


_TEXT = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            "and what about he it they the that one ones which is was did Why who Kenya Wang Yi 2014 in of 's ? , "
            "“ ” [1] Is there how many the second first most than contracts sign".split(" ")
        ),
        max_size=14,
    ).map(" ".join),
)


@settings(deadline=None)
@given(st.lists(st.tuples(_TEXT, st.one_of(st.none(), _TEXT), _TEXT), max_size=4), _TEXT)
def test_nothing_that_is_said_breaks_it(said: Sequence[tuple[str, str | None, str]], question: str) -> None:
    turns = [Turn(asked, asked, (quote,), short) for asked, short, quote in said]
    found = standalone(question, turns)
    assert found == standalone(question, turns)
    assert (found.strip() == "") == (question.strip() == "")
    assert turns_of([(asked, short) for asked, short, _ in said]) is not None


@settings(deadline=None)
@given(_TEXT)
def test_without_a_conversation_nothing_is_changed(question: str) -> None:
    assert standalone(question, []) == question


@pytest.mark.parametrize("described", ["state-owned", "US-led", "state-run", "long-established"])
def test_a_compound_adjective_is_not_taken_for_the_verb(described: str) -> None:
    asked = f"What have Chilean {described} mines told some smelters?"
    quote = f"Chilean {described} mines have told some smelters that they will sign no new copper contracts."
    before = Turn(asked, asked, (quote,), "they will sign no new copper contracts")
    assert standalone("And the existing ones?", [before]) == "What about the existing copper contracts?"
    assert standalone("What about Peruvian smelters?", [before]) == asked.replace("some", "Peruvian")


def test_what_is_done_to_somebody_stays_a_verb_with_its_hyphen() -> None:
    before = Turn("When was she re-elected mayor?", "When was Lena Holt re-elected mayor?", (), None)
    assert standalone("Why?", [before]) == "Why was Lena Holt re-elected mayor?"


def test_a_thing_that_an_answer_spoke_of_belongs_to_nobody_who_spoke() -> None:
    asked = "What did the minister say on Friday?"
    before = Turn(asked, asked, ("New bridges will be paid for by the state, said the minister.",), None)
    assert standalone("And the bridges?", [before]) == "What about the bridges?"
    assert standalone("And the tunnels?", [before]) != "What about the tunnels?"
    asked_of = Turn("And the bridges?", "What about the bridges?", ("Bridges are free.",), None)
    assert standalone("Why?", [before, asked_of]) == "Why? (bridges)"
