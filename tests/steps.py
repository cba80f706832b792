"""How many steps a regular expression takes, counted: a slow matcher that backtracks as Python's does.

Python's own cannot be asked, and a clock tells nothing sure. This one walks the tree that Python's parser makes of a
pattern, tries the same alternatives in the same order, and counts each character that is looked at and each place that
is gone back to. Repetitions of at most so many, as in `{0,500}`, are cut to a few: they are a constant factor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

# Python says nothing of the types of these.
c: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

Then = Callable[[int], bool]
Matcher = Callable[[int, Then], bool]
Fits = Callable[[str], bool]
# What a bounded repetition is cut to.
_FEW = 4
_TRIED = "a1 .A-\n,<\"(/:#&;'[{|*é=>)_\u4e00\x02\t!@%~]}\u00a0\u00ad\u201d\ud800\uffff"
_CATEGORIES: dict[Any, Fits] = {
    c.CATEGORY_DIGIT: lambda one: one.isdecimal(),
    c.CATEGORY_SPACE: lambda one: one.isspace(),
    c.CATEGORY_WORD: lambda one: one.isalnum() or one == "_",
}
_OPPOSITES = {
    c.CATEGORY_NOT_DIGIT: c.CATEGORY_DIGIT,
    c.CATEGORY_NOT_SPACE: c.CATEGORY_SPACE,
    c.CATEGORY_NOT_WORD: c.CATEGORY_WORD,
}
_ONE = frozenset({c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN})


class Counting:
    """One pattern, and the steps that it has taken so far."""

    def __init__(self, pattern: re.Pattern[str] | re.Pattern[bytes]) -> None:
        source = pattern.pattern
        written = source if isinstance(source, str) else source.decode("latin-1")
        flags = pattern.flags if isinstance(source, str) else pattern.flags & ~re.UNICODE
        self._tree = parser.parse(written, flags)
        self._groups: dict[int, str] = {}
        self._text = ""
        self._match = self._sequence(self._tree, pattern.flags)
        self.steps = 0

    def begins(self, text: str, at: int = 0, *, whole: bool = False) -> int | None:
        """Return where a match that begins at a place ends, None if there is none."""
        self._text, ended = text, [-1]

        def end(place: int) -> bool:
            ended[0] = place
            return not whole or place == len(text)

        self._groups.clear()
        return ended[0] if self._match(at, end) else None

    def goes_through(self, text: str) -> None:
        """Look for every match in a text, as `finditer` and `sub` do, and as a `search` does that finds none."""
        at = 0
        while at <= len(text):
            end = self.begins(text, at)
            at = at + 1 if end is None or end == at else end

    # ---- the matcher -----------------------------------------------------------------------------------------------

    def _sequence(self, items: Sequence[Any], flags: int) -> Matcher:
        parts = [self._part(kind, argument, flags) for kind, argument in items]

        def run(at: int, then: Then, number: int = 0) -> bool:
            if number == len(parts):
                return then(at)
            return parts[number](at, lambda place: run(place, then, number + 1))

        return run

    def _part(self, kind: Any, argument: Any, flags: int) -> Matcher:
        if kind in _ONE:
            fits = _fits(kind, argument, flags)

            def one(at: int, then: Then) -> bool:
                self.steps += 1
                return at < len(self._text) and fits(self._text[at]) and then(at + 1)

            return one
        if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            return self._repeat(kind, argument, flags)
        if kind is c.BRANCH:
            return self._branch(argument[1], flags)
        if kind is c.SUBPATTERN:
            return self._group(argument, flags)
        if kind is c.ATOMIC_GROUP:
            return self._atomic(self._sequence(argument, flags))
        if kind in (c.ASSERT, c.ASSERT_NOT):
            return self._look(kind is c.ASSERT, argument, flags)
        if kind is c.AT:
            return lambda at, then: self._stands(argument, at, flags) and then(at)
        if kind is c.GROUPREF:

            def same(at: int, then: Then) -> bool:
                known = self._groups.get(argument)
                self.steps += 1
                return known is not None and self._text.startswith(known, at) and then(at + len(known))

            return same
        raise NotImplementedError(kind)

    def _branch(self, alternatives: Sequence[Any], flags: int) -> Matcher:
        ways = [
            (_fits(way[0][0], way[0][1], flags) if len(way) and way[0][0] in _ONE else None, self._sequence(way, flags))
            for way in alternatives
        ]

        def branch(at: int, then: Then) -> bool:
            self.steps += 1
            after = self._text[at : at + 1]
            return any(way(at, then) for fits, way in ways if fits is None or (after and fits(after)))

        return branch

    def _group(self, argument: Any, flags: int) -> Matcher:
        number, added, dropped, items = argument
        body = self._sequence(items, (flags | added) & ~dropped)

        def group(at: int, then: Then) -> bool:
            def ended(place: int) -> bool:
                if number is not None:
                    self._groups[number] = self._text[at:place]
                return then(place)

            return body(at, ended)

        return group

    def _atomic(self, body: Matcher) -> Matcher:
        def atomic(at: int, then: Then) -> bool:
            ended: list[int] = []

            def end(place: int) -> bool:
                ended.append(place)
                return True

            return body(at, end) and then(ended[0])

        return atomic

    def _look(self, wanted: bool, argument: Any, flags: int) -> Matcher:
        direction, items = argument
        body, width = self._sequence(items, flags), items.getwidth()[0]

        def look(at: int, then: Then) -> bool:
            start = at if direction > 0 else at - width
            found = start >= 0 and body(start, lambda _: True)
            return found is wanted and then(at)

        return look

    def _repeat(self, kind: Any, argument: Any, flags: int) -> Matcher:
        least, most, items = argument
        if most is not c.MAXREPEAT:
            least, most = min(least, _FEW), min(most, _FEW)
        if len(items) == 1 and items[0][0] in _ONE:
            matcher = self._repeat_one(kind, least, most, _fits(items[0][0], items[0][1], flags))
        else:
            matcher = self._repeat_many(kind is not c.MIN_REPEAT, least, most, self._sequence(items, flags))
        return self._atomic(matcher) if kind is c.POSSESSIVE_REPEAT else matcher

    def _repeat_one(self, kind: Any, least: int, most: Any, fits: Fits) -> Matcher:
        def run(at: int, then: Then) -> bool:
            text, end = self._text, at
            limit = len(text) if most is c.MAXREPEAT else min(len(text), at + most)
            if kind is c.MIN_REPEAT:
                while True:
                    self.steps += 1
                    if end - at >= least and then(end):
                        return True
                    if end >= limit or not fits(text[end]):
                        return False
                    end += 1
            while end < limit and fits(text[end]):
                end += 1
                self.steps += 1
            for place in range(end, at + least - 1, -1):
                self.steps += 1
                if then(place):
                    return True
            return False

        return run

    def _repeat_many(self, greedy: bool, least: int, most: Any, body: Matcher) -> Matcher:
        def run(at: int, then: Then, count: int = 0) -> bool:
            self.steps += 1

            def again(place: int) -> bool:
                # What takes no room is not gone through for ever.
                return (place > at or count < least) and run(place, then, count + 1)

            more = most is c.MAXREPEAT or count < most
            if count < least:
                return body(at, again)
            if greedy:
                return (more and body(at, again)) or then(at)
            return then(at) or (more and body(at, again))

        return run

    def _stands(self, where: Any, at: int, flags: int) -> bool:
        text = self._text
        if where is c.AT_BEGINNING:
            return at == 0 or bool(flags & re.MULTILINE and text[at - 1] == "\n")
        if where is c.AT_BEGINNING_STRING:
            return at == 0
        if where is c.AT_END:
            at_line_end = bool(flags & re.MULTILINE) and text[at : at + 1] == "\n"
            return text[at:] in ("", "\n") or at_line_end
        if where is c.AT_END_STRING:
            return at == len(text)
        is_word = _CATEGORIES[c.CATEGORY_WORD]
        edge = (at > 0 and is_word(text[at - 1])) is not (at < len(text) and is_word(text[at]))
        return edge is (where is c.AT_BOUNDARY)

    # ---- what hurts it ---------------------------------------------------------------------------------------------

    @property
    def repeats(self) -> bool:
        """Whether anything in it may be repeated without end."""
        return _repeats(self._tree)

    def attacks(self) -> Iterator[tuple[str, str]]:
        """Yield beginnings and what is put behind them again and again: what each repetition takes."""
        yield from _attacks(self._tree, "")
        whole = _sample(self._tree)
        yield from (("", piece) for piece in (whole, whole[:-1], f"{whole} ", *_TRIED[:12], "a ", "A ", "a-", "1,"))


def _attacks(items: Any, before: str) -> Iterator[tuple[str, str]]:
    for kind, argument in items:
        if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            for piece in dict.fromkeys(_samples(argument[2])):
                if piece and argument[1] is c.MAXREPEAT:
                    yield before, piece
                    yield "", before + piece
            yield from _attacks(argument[2], before)
        elif kind is c.SUBPATTERN:
            yield from _attacks(argument[3], before)
        elif kind is c.BRANCH:
            for way in argument[1]:
                yield from _attacks(way, before)
        elif kind in (c.ASSERT, c.ASSERT_NOT):
            yield from _attacks(argument[1], before)
        elif kind is c.ATOMIC_GROUP:
            yield from _attacks(argument, before)
        before += _sample([(kind, argument)])


def _repeats(items: Any) -> bool:
    if isinstance(items, tuple) and len(items) == 3 and items[1] is c.MAXREPEAT:
        return True
    return isinstance(items, (tuple, list, parser.SubPattern)) and any(_repeats(one) for one in items)


def _samples(items: Any) -> list[str]:
    """Return texts that fit: one for each way of the first choice, and for a class of characters several."""
    if len(items) == 1:
        ((kind, argument),) = items
        if kind is c.SUBPATTERN:
            return _samples(argument[3])
        if kind is c.BRANCH:
            return [text for way in argument[1] for text in _samples(way)][:6]
        if kind in _ONE:
            fits = _fits(kind, argument, 0)
            return [one for one in _TRIED if fits(one)][:2] or [_sample(items)]
    return [_sample(items)]


def _sample(items: Any) -> str:
    """Return a text that fits."""
    return "".join(_sample_of(kind, argument) for kind, argument in items)


def _sample_of(kind: Any, argument: Any) -> str:
    if kind is c.LITERAL:
        return chr(int(argument))
    if kind in _ONE:
        fits = _fits(kind, argument, 0)
        named = (
            [chr(b if a is c.LITERAL else b[0]) for a, b in argument if a in (c.LITERAL, c.RANGE)]
            if kind is c.IN
            else []
        )
        return next((one for one in [*named, *_TRIED] if fits(one)), "")
    if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        times: int = min(max(argument[0], 1), _FEW)
        return times * _sample(argument[2])
    if kind is c.BRANCH:
        return _sample(argument[1][0])
    if kind is c.SUBPATTERN:
        return _sample(argument[3])
    return _sample(argument) if kind is c.ATOMIC_GROUP else ""


def _fits(kind: Any, argument: Any, flags: int) -> Fits:
    """Return whether one character fits."""
    if kind is c.ANY:
        return lambda one: bool(flags & re.DOTALL) or one != "\n"
    if kind is c.IN:
        return _among(argument, flags)
    among = _among([(c.LITERAL, argument)], flags)
    return among if kind is c.LITERAL else lambda one: not among(one)


def _among(members: Any, flags: int) -> Fits:
    negated = any(kind is c.NEGATE for kind, _ in members)
    literals = frozenset(argument for kind, argument in members if kind is c.LITERAL)
    ranges = [argument for kind, argument in members if kind is c.RANGE]
    categories = [argument for kind, argument in members if kind is c.CATEGORY]

    def holds(one: str) -> bool:
        code = ord(one)
        if code in literals or any(low <= code <= high for low, high in ranges):
            return True
        return any(
            not _CATEGORIES[_OPPOSITES[name]](one) if name in _OPPOSITES else _CATEGORIES[name](one)
            for name in categories
        )

    def fits(one: str) -> bool:
        found = holds(one)
        if not found and flags & re.IGNORECASE:
            found = any(len(other) == 1 and holds(other) for other in (one.lower(), one.upper()))
        return found is not negated

    known: dict[str, bool] = {}

    def remembered(one: str) -> bool:
        if one not in known:
            known[one] = fits(one)
        return known[one]

    return remembered
