"""Questions for yes or no on the training paragraphs: those that a sentence decides, and those that none does."""

import random
from collections.abc import Sequence
from itertools import pairwise

from training.asking import Statement, Verbs, crossed, statement, turned
from training.examples import SENTENCE_END, Cutter, Example, Row


class Decisions:
    """Makes questions for yes or no from the statements of a row's paragraph; what the row asks plays no part."""

    def __init__(self, rows: Sequence[Row], cutter: Cutter) -> None:
        self._cutter = cutter
        self._verbs = Verbs(dict.fromkeys(row.context for row in rows))

    def decided(self, row: Row, draw: random.Random) -> Example | None:
        """Return a question with the words that decide it; None if no sentence can be turned round."""
        found = self._statements(row.context)
        if not found:
            return None
        start, one = draw.choice(found)
        a, b = start + one.decisive[0], start + one.decisive[1]
        left, right = self._cutter.around(row.context, (a, b), draw)
        return Example(turned(one, draw), row.context[left:right], (a - left, b - left))

    def undecided(self, row: Row, draw: random.Random) -> Example | None:
        """Return a question that the passage looks as if it decided: crossed, or on what stands beside the sentence."""
        found = self._statements(row.context)
        if not found:
            return None
        start, one = draw.choice(found)
        if draw.random() < 0.5:
            others = [question for _, other in found if (question := crossed(other, one, draw)) is not None]
            if not others:
                return None
            left, right = self._cutter.around(row.context, (start + one.decisive[0], start + one.decisive[1]), draw)
            return Example(draw.choice(others), row.context[left:right], None)
        left, right = self._cutter.around(row.context, (start + one.decisive[0], start + one.decisive[1]), draw)
        rests = [rest for rest in (row.context[:left].strip(), row.context[right:].strip()) if len(rest.split()) >= 15]
        if not rests:
            return None
        question, rest = turned(one, draw), draw.choice(rests)
        left, right = self._cutter.likely(question, rest, draw)
        return Example(question, rest[left:right], None)

    def _statements(self, text: str) -> list[tuple[int, Statement]]:
        """Return the statements of a text, each with where its sentence begins."""
        cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        found = [(a, statement(text[a:b], self._verbs)) for a, b in pairwise(cuts) if a < b]
        return [(a, one) for a, one in found if one is not None]
