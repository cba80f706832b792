from __future__ import annotations

import hashlib
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.copies import SAME, bands, is_copy, is_current, likeness, signature

SEEDS = Path(__file__).parents[2] / "shared" / "seeds"

BRIDGE = """\
The iron bridge over the Lenne at Altmark will stay closed until the spring, the county council said on Thursday, \
after divers found cracks in two of its four piers.
Traffic has been sent through the village of Osterby since the floods of November, which adds 14 kilometres to the \
way to the hospital. Shops on the eastern bank report a third fewer customers than a year ago.
"We cannot promise a date, and we will not open a bridge that we do not trust," said the head of the road \
department, Marta Lindqvist. She put the cost of the repair at 2.3 million euros, of which the state is expected to \
pay half.
A ferry for people on foot and on bicycles starts on Monday. It runs every 20 minutes from six in the morning and \
is free for pupils; all others pay one euro. The council meets again on 3 February to choose the builder.
"""

BRIDGE_BY_ANOTHER_REPORTER = """\
Drivers in Altmark must be patient: their bridge remains shut over the winter. Cracks in the piers are deeper than \
first thought, according to a report that the county presented to residents on Thursday evening.
About 200 people came to the town hall, and many were angry. "My father missed his dialysis twice," said a baker \
from the eastern side, who now drives through Osterby every day.
Marta Lindqvist, who runs the county's roads, asked for understanding. The repair would swallow 2.3 million euros, \
she said, and nobody could tell today when it would be finished. Half of the money is to come from the state.
Relief is promised by a small ferry. From Monday it will carry walkers and cyclists across the Lenne, three times \
an hour, for one euro; school children travel without paying. The town's merchants want more and demand a temporary \
bridge of the army, an idea that the ministry of defence has not answered yet.
"""

HEADLINE = "Altmark waits: no bridge before spring\nBy Jane Doe, Example News Agency, 14 January 2026\n"
PARAGRAPHS = BRIDGE.splitlines()
ADDED = "Altmark's bridge was built in 1911 and carries about 6,000 cars a day, more than any other in the county."

CHINESE = (
    "县政府星期四宣布,老城区的铁桥将关闭到明年春天。潜水员在十一月的洪水之后检查了四个桥墩,发现其中两个出现裂缝。"
    "维修费用估计为二百三十万欧元,其中一半由州政府承担。公路部门负责人表示,在确认安全之前不会重新开放大桥。"
    "从下星期一起,一艘小渡船将每二十分钟运送行人和骑自行车的人过河,学生免费,其他人每次一欧元。"
)

words = st.text("abcdefghijklmnopqrstuvwxyzäöéжд0123456789", min_size=1, max_size=8)
texts = st.lists(words, min_size=10, max_size=120)


@given(texts)
def test_case_space_and_punctuation_count_for_nothing(content: list[str]) -> None:
    plain, dressed = " ".join(content), " —\n".join(word.upper() for word in content) + " …!"
    assert signature(dressed) == signature(plain)


@given(texts, texts)
def test_likeness_is_symmetric_and_one_for_the_same_words(first: list[str], second: list[str]) -> None:
    a, b = signature(" ".join(first)), signature(" ".join(second))
    assert likeness(a, b) == likeness(b, a)
    assert 0.0 <= likeness(a, b) <= 1.0
    assert likeness(a, a) == 1.0
    assert is_copy(a, a)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_can_be_compared(first: str, second: str) -> None:
    a, b = signature(first), signature(second)
    assert is_current(a)
    assert len(a) == len(b) == 1_025
    assert is_copy(a, b) == (likeness(a, b) >= SAME)


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(HEADLINE + BRIDGE, id="another headline and byline"),
        pytest.param("\n".join(PARAGRAPHS[1:]), id="first paragraph cut"),
        pytest.param("\n".join(PARAGRAPHS[:-1]), id="last paragraph cut"),
        pytest.param("\n".join([*PARAGRAPHS, ADDED]), id="paragraph added"),
        pytest.param(BRIDGE.replace("2.3 million", "2.8 million"), id="a figure corrected"),
        pytest.param(
            BRIDGE.replace("said on Thursday", "announced Jan. 15").replace("kilometres", "km").replace("euros", "EUR"),
            id="house style",
        ),
        pytest.param(
            BRIDGE.replace("divers", "di\u00advers").replace('"', "“").replace("\n", "\n\n"), id="typesetting"
        ),
    ],
)
def test_a_lightly_edited_report_is_a_copy_and_is_found(copy: str) -> None:
    first, second = signature(BRIDGE), signature(copy)
    assert is_copy(first, second)
    assert set(bands(first)) & set(bands(second))


def test_another_report_on_the_same_event_is_not_a_copy() -> None:
    assert likeness(signature(BRIDGE), signature(BRIDGE_BY_ANOTHER_REPORTER)) < 0.1


def test_an_article_that_quotes_a_release_at_length_is_not_a_copy_of_it() -> None:
    article = BRIDGE_BY_ANOTHER_REPORTER + "The council's statement in full:\n" + BRIDGE
    assert 0.3 < likeness(signature(BRIDGE), signature(article)) < SAME


def test_the_two_source_reports_are_two_witnesses() -> None:
    if not SEEDS.is_dir():
        pytest.skip("needs the two source reports in ../shared/seeds")
    reports = [signature(path.read_text(encoding="utf-8")) for path in sorted(SEEDS.glob("*-rare-earths.txt"))]
    assert [is_copy(a, b) for a, b in combinations(reports, 2)] == [False]


def test_a_text_without_spaces_between_words_is_compared_by_its_characters() -> None:
    assert is_copy(signature(CHINESE), signature(CHINESE.replace("星期四", "周四").replace("欧元", "元")))
    half = len(CHINESE) // 2
    assert not is_copy(signature(CHINESE[:half]), signature(CHINESE[half:]))


def test_a_brief_text_is_like_another_only_word_for_word() -> None:
    brief = signature("The library on Mill Street is closed on Friday afternoon for repairs to the roof.")
    again = signature("THE LIBRARY on Mill Street is closed on Friday afternoon, for repairs to the roof")
    other = signature("The library on Mill Street is closed on Monday afternoon for repairs to the roof.")
    assert likeness(brief, again) == 1.0
    assert likeness(brief, other) == 0.0
    assert not set(bands(brief)) & set(bands(other))


@pytest.mark.parametrize("tiny", ["", "---", "Yes.", "To be announced."])
def test_a_tiny_text_is_like_none_not_even_itself(tiny: str) -> None:
    assert likeness(signature(tiny), signature(tiny)) == 0.0
    assert bands(signature(tiny)) == ()


def test_likeness_estimates_the_share_of_common_runs() -> None:
    first, second = (" ".join(f"word{n}" for n in numbers) for numbers in (range(302), range(100, 402)))
    # 300 runs of three words each, of which 200 are common, make 400 different ones.
    assert likeness(signature(first), signature(second)) == pytest.approx(200 / 400, abs=0.1)


def test_signatures_and_keys_stay_as_they_are() -> None:
    """Libraries hold them. Who changes this test must change the format's number too, or copies are no longer found."""
    assert (
        hashlib.sha256(signature(BRIDGE)).hexdigest()
        == "eae39367b7e68264ca8edebe709a73cf846130526d070c8e1f813fd4e41539f3"
    )
    assert bands(signature(BRIDGE))[:2] == (773101110322213223, 5149011543665063752)


def test_keys_fit_an_integer_column_and_differ_from_band_to_band() -> None:
    keys = bands(signature(BRIDGE))
    assert len(set(keys)) == len(keys) == 32
    assert all(-(2**63) <= key < 2**63 for key in keys)


@pytest.mark.parametrize("foreign", [b"", b"\x01", b"\x02" + bytes(1_024), bytes(1_025)])
def test_a_signature_of_another_format_is_told_and_refused(foreign: bytes) -> None:
    assert not is_current(foreign)
    with pytest.raises(ValueError, match="not a signature of this format"):
        bands(foreign)
    with pytest.raises(ValueError, match="not a signature of this format"):
        likeness(signature(BRIDGE), foreign)


def test_only_the_beginning_of_an_enormous_text_counts() -> None:
    enormous = "word " * 200_000
    assert signature(enormous + BRIDGE) == signature(enormous)
