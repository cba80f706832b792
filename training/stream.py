"""An endless, repeatable stream of (question, passage, answer or nothing).

What the reader must learn beside finding an answer is to see that a passage that looks right has none, so more than
half of what it reads has no answer, and most of that looks right: it shares the question's rare words. A good part of
the answered questions are on the very paragraphs that unanswerable ones were written for: only the question tells them
apart. Some ask for yes or no, some are put in other words (`asking.py`), and with a folder of WordNet in words that the
passage does not use (`synonyms.py`), as often where there is an answer as where there is none. Some may be as people
ask (`asked.py`, `written.py`), on the text that they were written for, on one of the same article and on one of
another, which is what a library without the answer shows the reader.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from training.asking import recast
from training.decisions import Decisions
from training.examples import Articles, Cutter, Example, Mixture, Row, Strangers
from training.squad import Labelled
from training.synonyms import SHARES, Synonyms
from training.written import Written


class Stream:
    """A repeatable stream: block `n` depends on the seed and on `n` alone, so training can go on from any block."""

    def __init__(
        self,
        rows: Sequence[Row],
        mixture: Mixture,
        seed: int,
        synonyms: Synonyms | None = None,
        asked: Sequence[Row] = (),
        written: Sequence[Written] = (),
    ) -> None:
        """`asked` are questions on paragraphs of `rows`; `written` has texts of its own."""
        self._mixture = mixture
        self._synonyms = synonyms
        self._seed = seed
        self._answered = [row for row in rows if row.answer is not None and row.occurrences <= 3]
        self._unanswerable = [row for row in rows if row.answer is None]
        doubtful = {row.context for row in self._unanswerable}
        self._asked = list(asked)
        self._asked_answered = [row for row in asked if row.answer is not None]
        self._written = [row for one in written if one.event is None for row in one.rows]
        self._paired = [row for one in written if one.event is not None for row in one.rows]
        self._written_answered = [row for row in [*self._written, *self._paired] if row.answer is not None]
        self._belongs = {row.context: row.title for row in self._asked} | {one.text: one.set for one in written}
        paragraphs = {row.context: (row.title, row.title, row.context) for row in rows} if asked or written else {}
        texts = [(one.set, one.title, one.text) for one in written]
        self._strangers = [Strangers(some) for some in (list(paragraphs.values()), texts) if some]
        self._contrasted = [row for row in self._answered if row.context in doubtful]
        self._articles = Articles(rows)
        self._cutter = Cutter(self._articles, mixture)
        self._decisions = Decisions(rows, self._cutter) if mixture.decided or mixture.undecided else None

    def block(self, number: int) -> list[Example]:
        """Return the examples of a block in random order; questions come round once before any comes twice."""
        draw = random.Random(f"{self._seed}:{number}")
        mixture = self._mixture
        found = [self._answer(row, draw) for row in self._turn(self._answered, "a", number, mixture.answered)]
        found += [self._answer(row, draw) for row in self._turn(self._contrasted, "c", number, mixture.contrasted)]
        for row in self._turn(self._unanswerable, "u", number, mixture.unanswerable):
            found.append(self._silence(row, row.context, draw))
        rows = self._answered
        found += self._hard(rows, number, "l", mixture.look_alike, self._look_alike, draw)
        found += self._hard(rows, number, "s", mixture.same_paragraph, self._same_paragraph, draw)
        if self._decisions is not None:
            found += self._hard(rows, number, "d", mixture.decided, self._decisions.decided, draw)
            found += self._hard(rows, number, "n", mixture.undecided, self._decisions.undecided, draw)
        if self._asked:
            found += [self._either(row, draw) for row in self._turn(self._asked, "q", number, mixture.asked)]
            elsewhere = mixture.asked_elsewhere
            found += self._hard(self._asked_answered, number, "e", elsewhere, self._look_alike, draw)
        if self._written:
            found += [self._either(row, draw) for row in self._turn(self._written, "w", number, mixture.written)]
        if self._paired:
            found += [self._either(row, draw) for row in self._turn(self._paired, "p", number, mixture.paired)]
        if self._written_answered:
            rest = mixture.written_rest
            found += self._hard(self._written_answered, number, "r", rest, self._same_paragraph, draw)
        if self._strangers:
            ours = [*self._asked, *self._written, *self._paired]
            found += self._hard(ours, number, "f", mixture.strange, self._stranger, draw)
        draw.shuffle(found)
        return found

    def _turn(self, rows: Sequence[Row], kind: str, number: int, count: int) -> Iterator[Row]:
        """Yield the rows of block `number` out of an endless round over `rows`, reshuffled each time round."""
        order: list[int] = []
        current = -1
        for place in range(number * count, (number + 1) * count):
            lap, at = divmod(place, len(rows))
            if lap != current:
                order = list(range(len(rows)))
                random.Random(f"{self._seed}:{kind}:{lap}").shuffle(order)
                current = lap
            yield rows[order[at]]

    def _hard(
        self,
        rows: Sequence[Row],
        number: int,
        kind: str,
        count: int,
        make: Callable[[Row, random.Random], Example | None],
        draw: random.Random,
    ) -> list[Example]:
        """Return up to `count` negatives; not every question has one, so three times as many are tried."""
        found: list[Example] = []
        for row in self._turn(rows, kind, number, 3 * count):
            if len(found) == count:
                break
            example = make(row, draw)
            if example is not None:
                found.append(example)
        return found

    def _either(self, row: Row, draw: random.Random) -> Example:
        return self._silence(row, row.context, draw) if row.answer is None else self._answer(row, draw)

    def _answer(self, row: Row, draw: random.Random) -> Example:
        assert row.answer is not None
        span = (row.start, row.start + len(row.answer))
        a, b = (0, len(row.context))
        if draw.random() >= self._mixture.whole_paragraphs:
            a, b = self._cutter.around(row.context, span, draw)
        return self._dressed(row, row.context[a:b], (span[0] - a, span[1] - a), draw)

    def _silence(self, row: Row, text: str, draw: random.Random) -> Example:
        """Return `text`, or the likely part of it, as a passage without an answer."""
        if draw.random() >= self._mixture.whole_paragraphs:
            a, b = self._cutter.likely(row.question, text, draw)
            text = text[a:b]
        return self._dressed(row, text, None, draw)

    def _look_alike(self, row: Row, draw: random.Random) -> Example | None:
        """Return one of the three paragraphs of the article most like the question that lack its answer."""
        found = self._articles.look_alikes(row, 3)
        return self._silence(row, draw.choice(found), draw) if found else None

    def _same_paragraph(self, row: Row, draw: random.Random) -> Example | None:
        """Return another stretch of the answering paragraph, without the answer's words."""
        assert row.answer is not None
        a, b = self._cutter.around(row.context, (row.start, row.start + len(row.answer)), draw)
        rests = [rest.strip() for rest in (row.context[:a], row.context[b:])]
        rests = [rest for rest in rests if len(rest.split()) >= 15 and row.answer.lower() not in rest.lower()]
        return self._silence(row, draw.choice(rests), draw) if rests else None

    def _stranger(self, row: Row, draw: random.Random) -> Example | None:
        """Return one of the ten texts on something else that are most like the question."""
        found = draw.choice(self._strangers).like(row, self._belongs[row.context], 10)
        if not found:
            return None
        title, text = draw.choice(found)
        return self._silence(replace(row, title=title), text, draw)

    def _dressed(self, row: Row, text: str, span: tuple[int, int] | None, draw: random.Random) -> Example:
        """Return the example, sometimes under a title line, in other words, or without the question mark."""
        question = row.question.strip()
        if self._synonyms is not None and draw.random() < self._mixture.reworded:
            question = self._synonyms.reworded(question, draw.choice(SHARES), draw)
        if self._mixture.recast and draw.random() < self._mixture.recast:
            question = recast(question, draw)
        if draw.random() < self._mixture.bare_question:
            question = question.rstrip("? ")
        if row.title and draw.random() < self._mixture.titled:
            line = row.title.replace("_", " ") + "\n"
            text, span = line + text, (span[0] + len(line), span[1] + len(line)) if span is not None else None
        return Example(question, text, span)


def validation(rows: Sequence[Row], seed: int) -> list[Labelled]:
    """Return 600 questions: 300 answered in windows, 150 unanswerable, 150 on look-alike passages."""
    mixture = Mixture(
        answered=300,
        contrasted=0,
        unanswerable=150,
        look_alike=100,
        same_paragraph=50,
        decided=0,
        undecided=0,
        recast=0.0,
    )
    block = Stream(rows, mixture, seed).block(0)
    return [
        Labelled(str(k), one.question, one.passage, (one.passage[slice(*one.span)],) if one.span is not None else ())
        for k, one in enumerate(block)
    ]
