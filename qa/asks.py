"""What form of answer a question asks for, and which questions it puts at once. Rules for English, no model.

What no rule knows asks for sentences: a short answer that does not answer is worse than none.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Form(StrEnum):
    """The form that an answer takes."""

    FACT = "fact"
    """A few words: who, when, where, how many, which."""
    SENTENCES = "sentences"
    """Whole sentences: why, how, what is, what did … say."""
    DECISION = "decision"
    """The sentence that decides: is, did, has, will."""
    LIST = "list"
    """Several items: which countries, what other steps, name the."""


_POLITE = re.compile(
    r"^\W*(?:(?:and|but|so|then|also|well|please)\b[,\s]+)*"
    r"(?:(?:can|could|would|will|do|did)\s+you\s+(?:please\s+)?(?:tell\s+(?:me|us)|know|say|explain)\s*,?\s+"
    r"|(?:please\s+)?tell\s+(?:me|us)\s+(?!about\b)|i\s+(?:want|would\s+like|need)\s+to\s+know\s+)?",
    re.IGNORECASE,
)
# "According to the ministry, who …": the question proper begins behind it.
_ACCORDING = re.compile(
    r"^(?:according\s+to|besides|apart\s+from|in\s+addition\s+to|as\s+of|after|before|since|by|during|in)\b[^,?]{1,120},\s*",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"^(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)(?:n['’]t)?\b",
    re.IGNORECASE,
)
_ASIDE_DECISION = re.compile(r",\s*(?:do|is|are|can|will|may|must|should)\s+(?:i|we|it|they|there)\b", re.IGNORECASE)
_CHOICE = re.compile(r"\bor\b(?!\s+not\b)", re.IGNORECASE)
# Verbs that look like plural nouns behind "what".
_NO_PLURAL = (
    r"(?!(?:is|was|does|has|happens|makes|causes|comes|gives|means|stands|goes|takes|keeps|leads|lies|lets|brings|allows"
    r"|says|shows|helps|needs|explains|follows|remains|counts|drives|news|series|species|status|basis|focus|process|class"
    r"|gas|virus|bus|address|business|access|success|progress|congress|press|loss|boss|crisis|analysis)\b)"
)
_LIST = re.compile(
    rf"\b(?:what|which)\s+(?:(?:other|further|more|new|two|three|four|five|six|several|kinds\s+of|types\s+of)\s+)*"
    rf"(?:[\w'’-]+\s+)?{_NO_PLURAL}(?:[\w'’-]+s|people|men|women|children|media)"
    rf"(?=\s*(?:\?|$|(?:of|in|for|are|were|have|did|do|can|could|will|would|should|may|might|must|had|fall|has|is"
    rf"|does|was)\b))"
    rf"|\bwhich\s+{_NO_PLURAL}[\w'’-]+s\b"
    rf"|\bwho\s+(?:are|were|else)\b|\b(?:what|where|who)\s+else\b"
    rf"|\b(?:what|which)\s+(?:are|were)\s+(?:the|some|all|its|their|his|her|other)\s+(?:[\w'’-]+\s+){{0,3}}?{_NO_PLURAL}[\w'’-]+s\b"
    rf"|^(?:name|list|enumerate)\s+(?:all|some|the|two|three|four|five|several)\b(?:\s+[\w'’-]+){{0,2}}?\s+{_NO_PLURAL}[\w'’-]+s\b"
    rf"|\b(?:what|which)\s+other\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\bhow\s+(?:many|much|long|old|far|tall|high|big|large|often|fast|heavy|deep|soon|late)\b", re.IGNORECASE
)
_SENTENCES = re.compile(
    r"^(?:why|what\s+about|describe|explain|tell\s+(?:me|us)\s+about|(?:for\s+)?what\s+(?:reasons?|purpose)|how(?:\s+about)?\b|what\s+happened"
    r"|what(?:['’]s|\s+(?:is|are|was|were))\s+(?:an?\s(?!(?:example|word|term|name)\b)|one\s|true\b|unique\b|(?:(?:the|its|his|her|their)|(?:[\w-]+\s+){0,3}?[\w-]+['’]s?)\s+(?:\w+\s+)?"
    r"(?:reasons?|purpose|aims?|goal|effects?|results?|consequences?|difference|meaning|matter|problem|plan|position|view"
    r"|opinion|reaction|response|role|relation\w*|answer)\b)"
    r"|what(?:['’]s|\s+(?:is|are|was|were))\s+(?!the\b|its\b|his\b|her\b|their\b)[\w'’-]+(?:\s+[\w'’-]+){0,2}\s*\??$"
    r"|what\s+(?:do|does|did|has|have|had|is|was|will|would|could|can|should)\b"
    r".*\b(?:say|said|saying|think|thinking|thought|mean|means|believe|claim|claimed|argue|argued|explain|do|done|told|tell|happen"
    r"|announce|announced|warn|suggest|know|known|respond|react|ask|criticise|criticize|accuse)\b)"
    r"|\b(?:in\s+what\s+(?:other\s+)?ways?|for\s+what\s+purpose)\b",
    re.IGNORECASE,
)
_FACT = re.compile(r"\b(?:who|whom|whose|when|where|which|what|how)(?:['’]?s)?\b|\.\.\.|…", re.IGNORECASE)
_NAME_THE = re.compile(r"^(?:name|give)\s+(?:the|a|one)\b", re.IGNORECASE)

_WORD = r"(?:who|whom|whose|what|when|where|why|which|how(?:\s+(?:many|much|long|often|far|old))?)"
_TWO_WORDS = re.compile(
    rf"^(?P<one>{_WORD})\s*(?:,|and|&)\s*(?:and\s+)?(?P<two>{_WORD})\b\s+(?P<rest>.+)$", re.IGNORECASE
)
_AND_ASKS = re.compile(
    # From the beginning of a run of spaces on, and never from within it: a thousand of them would take minutes.
    rf"(?<!\s)(?:\s*,)?\s+(?:and|but)\s+(?=(?:(?:in|at|on|by|for|to|from|with|since)\s+)?{_WORD}\b)",
    re.IGNORECASE,
)
_MOST_PARTS = 4


def form(query: str) -> Form:
    """Return the form of the answer to `query`, of its first part if it has several.

    A choice ("Was it Paris or Rome?") asks for a fact. A query without a question word asks for sentences.
    """
    asked = _proper(query)
    if (_DECISION.match(asked) or _ASIDE_DECISION.search(asked)) and not _FACT.match(asked):
        return Form.FACT if _CHOICE.search(asked) else Form.DECISION
    if _NUMBER.search(asked):
        return Form.FACT
    if _SENTENCES.search(asked):
        return Form.SENTENCES
    if _LIST.search(asked):
        return Form.LIST
    return Form.FACT if _FACT.search(asked) or _NAME_THE.match(asked) else Form.SENTENCES


def parts(query: str) -> list[str]:
    """Return the questions that `query` puts at once, at least one, at most four: "When and where was it?" puts two."""
    found: list[str] = []
    for one in re.findall(r"[^?]+\?+|[^?]+$", query):
        asked = _POLITE.sub("", one.strip(), count=1)
        double = _TWO_WORDS.match(asked)
        if double:
            found += [f"{double['one']} {double['rest']}", f"{double['two']} {double['rest']}"]
        elif asked and not (found and not _asks(asked)):
            found += [piece for piece in _AND_ASKS.split(asked) if piece.strip()]
    return found[:_MOST_PARTS] if found else [query]


def _asks(text: str) -> bool:
    """Return whether `text` is a question, and not the words that a follow-up got behind it."""
    return bool(_FACT.search(text) or _DECISION.match(text))


def _proper(query: str) -> str:
    asked = _POLITE.sub("", query.strip(), count=1)
    return _ACCORDING.sub("", asked, count=1)
