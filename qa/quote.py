"""A sentence → the stretch that is quoted for it, and the sentence that says whom it speaks of."""

from __future__ import annotations

from dataclasses import dataclass

from index.sentences import split
from index.types import Kind, Sentence, Span
from qa.english.pronouns import Missing, leaning, namer, speaks

# How far from a sentence, in characters, what it leans on is looked for.
_BEFORE, _AFTER = 4_000, 2_000
_ENDS = (".", "!", "?", "…", ":", ";", "。", "！", "？")
_CLOSING = "\"'”’»)]"
# "No." and "Not at all." say nothing without what stands before them.
_FEWEST_WORDS = 3


@dataclass(frozen=True, slots=True)
class QuotePolicy:
    """How long a quote may become when one sentence does not stand by itself."""

    sentences: int = 3
    characters: int = 600


@dataclass(frozen=True, slots=True)
class Quote:
    """A run of whole sentences, and the sentence outside of it that names whom it speaks of, None if none is needed."""

    span: Span
    context: Span | None


@dataclass(frozen=True, slots=True)
class _Near:
    """The sentences around one, nearest first; `beside` says how many of each stand in its paragraph without a gap."""

    before: tuple[Sentence, ...]
    after: tuple[Sentence, ...]
    beside_before: int
    beside_after: int


def quote(text: str, sentence: Sentence, language: str | None, policy: QuotePolicy) -> Quote:
    """Return what is quoted for `sentence` of a revision's `text`.

    The sentence itself; with those beside it in its paragraph where it begins with "she", "this" or "the company" and
    one of them says who that is, or where the segmenter cut it in two. Where that one stands further off, or the quote
    would become too long, it is the context instead. Captions, credits and headings are never taken along.

    Read by eye on some 130 sentences of news that got one so (OneStopEnglish), while the rules were being made: one in
    ten got one that names somebody else, and a few needed none; the worst of these were mended since. The rules are for
    English; a sentence of another language is left alone.
    """
    content = sentence.span.of(text)
    english = language is None or language.split("-")[0].lower() == "en"
    open_ = leaning(content) if english and sentence.kind is Kind.BODY else None
    if open_ is None and _is_whole(content, text[sentence.span.end : sentence.span.end + 8]):
        return Quote(sentence.span, None)
    near = _near(text, sentence, language)
    run = _mended(text, sentence, near, policy)
    if not english or sentence.kind is not Kind.BODY:
        return Quote(run, None)
    if run == sentence.span and open_ is not None and open_.missing is Missing.SPEAKER:
        return _spoken(text, run, near, policy)
    return _named(text, run, near, policy)


def _named(text: str, run: Span, near: _Near, policy: QuotePolicy) -> Quote:
    """Return the run drawn out to the sentence that names what its first one leaves open, else with that as context.

    That sentence may lean on another one in its turn: "This is why. She had said so."
    """
    for _ in range(policy.sentences):
        earlier = [one for one in near.before if one.span.end <= run.start]
        first = next((one for one in near.before if one.span.start == run.start), None)
        open_ = leaning(text[run.start : run.end if first is None else first.span.end])
        if open_ is None or open_.missing is Missing.SPEAKER:
            break
        told = [one for one in earlier if one.kind is Kind.BODY]
        at = namer(open_, [one.span.of(text) for one in told])
        if at is None:
            break
        naming = told[at]
        longer = Span(naming.span.start, run.end)
        if not open_.opens or naming not in near.before[: near.beside_before] or not _fits(longer, near, policy):
            return Quote(run, naming.span)
        run = longer
    return Quote(run, None)


def _spoken(text: str, run: Span, near: _Near, policy: QuotePolicy) -> Quote:
    """Return a run that is all quotation with the sentence beside it that says who speaks."""
    for one, beside in ((near.before, near.beside_before), (near.after, near.beside_after)):
        if beside and speaks(one[0].span.of(text)):
            longer = Span(min(run.start, one[0].span.start), max(run.end, one[0].span.end))
            if not _fits(longer, near, policy):
                return Quote(run, one[0].span)
            # "…," he said: and who is he?
            return _named(text, longer, near, policy) if longer.start < run.start else Quote(longer, None)
    return Quote(run, None)


def _fits(run: Span, near: _Near, policy: QuotePolicy) -> bool:
    """Return whether a run of the sentence and of some beside it is short enough for a quote."""
    count = 1 + sum(run.covers(one.span) for one in (*near.before, *near.after))
    return count <= policy.sentences and len(run) <= policy.characters


def _is_whole(content: str, behind: str) -> bool:
    """Return whether a sentence begins and ends as one does; `behind` is the text after it."""
    if content.lstrip("\"'“‘«„([—–- ")[:1].islower() or behind.lstrip(" ")[:1].islower():
        return False
    return content.rstrip(_CLOSING + " ").endswith(_ENDS) and len(content.split()) >= _FEWEST_WORDS


def _mended(text: str, sentence: Sentence, near: _Near, policy: QuotePolicy) -> Span:
    """Return the sentence with the halves that the segmenter cut off: one before small letters, one behind no stop."""
    run, count = sentence.span, 1
    first, last = run.of(text), run.of(text)
    for one in near.before[: near.beside_before]:
        cut = first.lstrip("\"'“‘«„([—–-”’» ")[:1].islower() or (count == 1 and len(first.split()) < _FEWEST_WORDS)
        if not cut or count == policy.sentences or run.end - one.span.start > policy.characters:
            break
        run, first, count = Span(one.span.start, run.end), one.span.of(text), count + 1
    for one in near.after[: near.beside_after]:
        cut = not last.rstrip(_CLOSING + " ").endswith(_ENDS) or one.span.of(text)[:1].islower()
        if not cut or count == policy.sentences or one.span.end - run.start > policy.characters:
            break
        run, last, count = Span(run.start, one.span.end), one.span.of(text), count + 1
    return run


def _near(text: str, sentence: Sentence, language: str | None) -> _Near:
    """Return the sentences around one. Only so much of the text is cut as is looked at: a text may have megabytes."""
    start = max(0, sentence.span.start - _BEFORE)
    if start > 0:  # from a line's beginning, else from a sentence's
        line = text.find("\n", start, sentence.span.start)
        start = line + 1 if line >= 0 else start
    end = text.find("\n", sentence.span.end, sentence.span.end + _AFTER)
    end = end if end >= 0 else min(len(text), sentence.span.end + _AFTER)
    found = [
        Sentence(Span(start + one.span.start, start + one.span.end), one.kind)
        for one in split(text[start:end], language)
    ]
    if start > 0 and text[start - 1] != "\n":
        found = found[1:]
    if end < len(text) and text[end] != "\n":
        found = found[:-1]
    before = tuple(one for one in reversed(found) if one.span.end <= sentence.span.start)
    after = tuple(one for one in found if one.span.start >= sentence.span.end)
    return _Near(before, after, _beside(text, sentence, before), _beside(text, sentence, after))


def _beside(text: str, sentence: Sentence, others: tuple[Sentence, ...]) -> int:
    """Return how many of `others`, nearest first, follow on from one another in the paragraph of `sentence`."""
    count, last = 0, sentence
    for one in others:
        gap = text[min(one.span.end, last.span.end) : max(one.span.start, last.span.start)]
        if one.kind is not Kind.BODY or "\n" in gap or gap.strip():
            break
        count, last = count + 1, one
    return count
