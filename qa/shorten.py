"""A reader's span → a short answer that stands by itself: whole words, whole names, nothing left open.

A reader points at pieces of words. It may begin a name at its second word ("Yadong" of "He Yadong", where it takes the
first for a pronoun), end inside a number, or take one of two quotation marks along.
"""

from __future__ import annotations

import re

from index.types import Span

_OUTER = ",;:.!?…–—-/\\|*_·•&"
_PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "«": "»", "„": "“"}
_FAR = 60
"""How far, in characters, the other half of a bracket or a quotation mark is fetched from."""
_EDGE_WORD = (
    r"(?:and|or|but|nor|that|which|who|whom|than|as|because|the|an?|of|with|from|to|in|on|at|for|by|is|are|was|were|its"
    r"|their|his|her)"
)
_OPENING = re.compile(r"(?:and|or|but|nor|that|because|than|as)\b[\s,]+", re.IGNORECASE)
_CLOSING = re.compile(
    r"[\s,]+(?:and|or|but|nor|that|which|who|than|as|because|the|an?|of|with|from|its|their)$", re.IGNORECASE
)
_NOTHING = re.compile(
    rf"(?:{_EDGE_WORD}|i|he|she|it|they|we|you|me|him|them|us|this|these|those|there|here|so|not|one|ones|some|others?"
    r"|who|what|it['’]s|himself|herself|itself|themselves|said|says)",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"[\w’'-]+$")
_SPEECH_VERB_BEHIND = re.compile(r"[\s,]+(?:said|says|told|added|adds)$")
_NAME_BEFORE = re.compile(
    r"(?:(?<=\s)|(?<=[(\[“\"'‘—–])|^)(?P<word>[A-Z][\w’'-]*|[A-Z]\.)(?: (?:de|van|von|bin|al|el|der|la|di|du)){0,2} $"
)
_NAME_BEHIND = re.compile(r" (?:(?:de|van|von|bin|al|el|der|la|di|du) (?=[A-Z]))?[A-Z][\w-]*(?:[’'](?!s\b)[\w-]+)?")
# Capitalised for where they stand or what they say of the name, not as a part of it.
_NO_NAME = frozenset(
    "the a an in on at by for from to of and or but when while after before since until as if then there that "
    "this these those with without about over under during although though because so yet however meanwhile also "
    "both either neither former late according like unlike only even not now today yesterday tomorrow why how "
    "what who where which i we you they mr mrs ms dr sir dame lord lady prof professor president minister premier "
    "chancellor king queen prince princess pope general captain chief chairman director spokesman spokeswoman "
    "spokesperson mayor governor senator judge secretary ambassador coach actor actress singer author doctor his "
    "her its their our my your said".split()
)
_TITLES = frozenset("prime vice deputy foreign defence defense finance commerce".split())
_SCALE = re.compile(
    r"(?:\s?%|\s(?:per\s?cent|percent|percentage\spoints|hundred|thousand|million|billion|trillion|bn|m|k)\b"
    r"|(?:bn|m|k|st|nd|rd|th)\b|\s?°\s?[CF]\b)+"
)


def short_answer(text: str, sentence: Span, span: Span) -> Span | None:
    """Return the span of the short answer inside `sentence` that the reader's `span` points at, None if it is none.

    All three count in `text`. It neither begins nor ends inside a word, a number or a name, with a comma or an "and";
    brackets and quotation marks in it are whole. A pronoun or an article alone is no answer. A name is taken to reach
    over the capitalised words beside it, titles aside, so that two names without a comma between them would be one.
    """
    whole = sentence.of(text)
    start, end = span.start - sentence.start, span.end - sentence.start
    start, end = _trimmed(whole, start, end)
    if start >= end:
        return None
    start, end = _whole_words(whole, start, end)
    start, end = _whole_names(whole, start, end)
    balanced = _balanced(whole, *_trimmed(whole, start, end))
    if balanced is None:
        return None
    start, end = _trimmed(whole, *balanced)
    if start >= end or _NOTHING.fullmatch(whole[start:end]) or not any(c.isalnum() for c in whole[start:end]):
        return None
    return Span(sentence.start + start, sentence.start + end)


def _trimmed(whole: str, start: int, end: int) -> tuple[int, int]:
    """Return the stretch without punctuation and words that only join at its ends."""
    before = (-1, -1)
    while before != (start, end):
        before = start, end
        while start < end and _is_outer(whole[start]) and not _starts_number(whole, start):
            start += 1
        while end > start and _is_outer(whole[end - 1]) and not _ends_abbreviation(whole, start, end):
            end -= 1
        opening = _OPENING.match(whole, start, end)
        start = opening.end() if opening else start
        for pattern in (_CLOSING, _SPEECH_VERB_BEHIND):
            closing = pattern.search(whole, max(start, end - 24), end)
            end = closing.start() if closing else end
    return start, end


def _is_outer(character: str) -> bool:
    return character in _OUTER or character.isspace()


def _starts_number(whole: str, at: int) -> bool:
    """Return whether the sign at `at` belongs to the number behind it: -5, .5."""
    return whole[at] in "-–." and whole[at + 1 : at + 2].isdigit()


def _ends_abbreviation(whole: str, start: int, end: int) -> bool:
    """Return whether the full stop before `end` belongs to the word: "U.S.", "Jr.", but not that of the sentence."""
    return (
        whole[end - 1] == "."
        and re.search(r"(?:\b[A-Z]\.[A-Z]|\b(?:Jr|Sr|Inc|Ltd|Co|Corp))\.$", whole[start:end]) is not None
    )


def _whole_words(whole: str, start: int, end: int) -> tuple[int, int]:
    """Return the stretch grown to whole words and numbers: "000" to "1,000", "5" to "$5 million"."""
    while start > 0 and _joined(whole, start):
        start -= 1
    while end < len(whole) and _joined(whole, end):
        end += 1
    if whole[start].isdigit() and start > 0 and whole[start - 1] in "$€£¥₹":
        start -= 1
    if whole[end - 1].isdigit():
        scale = _SCALE.match(whole, end)
        end = scale.end() if scale else end
    return start, end


def _joined(whole: str, at: int) -> bool:
    """Return whether the characters on both sides of `at` are of one word or number."""
    one, two = whole[at - 1], whole[at]
    if _in_word(one) and _in_word(two):
        return True
    before, after = whole[at - 2 : at - 1], whole[at + 1 : at + 2]
    if two in ".,:" and one.isdigit() and after.isdigit():
        return True
    if one in ".,:" and before.isdigit() and two.isdigit():
        return True
    if two in "-’'" and one.isalnum() and after.isalpha():
        # "Beijing-based" answers "Beijing", and "China's Ministry" is the ministry of "China".
        return not (two != "-" and after == "s") and not (two == "-" and _capitalised(whole, at))
    return one in "-’'" and before.isalnum() and two.isalpha() and not (one == "-" and _capitalised(whole, at - 1))


def _in_word(character: str) -> bool:
    return character.isalnum() or character in "_\u0301\u00ad"


def _capitalised(whole: str, end: int) -> bool:
    """Return whether the word that ends at `end` begins with a capital."""
    start = end
    while start > 0 and whole[start - 1].isalnum():
        start -= 1
    return whole[start:end][:1].isupper()


def _whole_names(whole: str, start: int, end: int) -> tuple[int, int]:
    """Return the stretch grown over the capitalised words that belong to a name at its ends."""
    while whole[start].isupper():
        word = _NAME_BEFORE.search(whole, max(0, start - 40), start)
        if word is None or not _names(word["word"]):
            break
        start = word.start("word")
    last = _LAST_WORD.search(whole, max(start, end - 40), end)
    while last is not None and last[0].istitle() and last[0].lower() not in _NO_NAME:
        behind = _NAME_BEHIND.match(whole, end)
        if behind is None:
            break
        end = behind.end()
        last = re.search(r"[\w’'-]+$", whole[max(start, end - 40) : end])
    return start, end


def _names(word: str) -> bool:
    """Return whether a capitalised word before a name is a part of it: not the first word of most sentences."""
    return word.lower() not in _NO_NAME | _TITLES and re.search(r"[’']s?$", word) is None


def _balanced(whole: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the stretch with both halves of every bracket and quotation mark, or neither; None if it cannot be."""
    for _ in range(4):  # each round mends one
        stray = _stray(whole, start, end)
        if stray is None:
            return start, end
        at, mate, forward = stray
        if at == start:
            start += 1
        elif at == end - 1:
            end -= 1
        elif forward and (found := whole.find(mate, end, end + _FAR)) >= 0:
            end = found + 1
        elif not forward and (found := whole.rfind(mate, max(0, start - _FAR), start)) >= 0:
            start = found
        else:
            return None
    return None


def _stray(whole: str, start: int, end: int) -> tuple[int, str, bool] | None:
    """Return where a half without its other stands, what the other is, and whether that would come after it."""
    open_: list[int] = []
    straight = [at for at in range(start, end) if whole[at] == '"']
    for at in range(start, end):
        character = whole[at]
        if open_ and character == _PAIRS[whole[open_[-1]]]:
            open_.pop()
        elif character in _PAIRS:
            open_.append(at)
        elif character in ")]}”»":
            return at, next(one for one, other in _PAIRS.items() if other == character), False
    if open_:
        return open_[0], _PAIRS[whole[open_[0]]], True
    if len(straight) % 2:
        opens = whole.count('"', 0, straight[0]) % 2 == 0
        return (straight[-1] if opens else straight[0]), '"', opens
    return None
