"""What kind of thing a question asks for, by its question word, and whether a span holds one.

Rules, not a model: they only lend weight (`qa/calibrate.py`), so a rule that misses costs little.
"""

from __future__ import annotations

import re

_TIME = (
    r"\d"
    r"|\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|yesterday|tomorrow|centur(?:y|ies)"
    r"|decades?|years?|months?|weeks?|days?|hours?|minutes?|morning|evening|night|spring|summer|autumn|fall|winter"
    r"|after|before|shortly|soon|recently|always|never)\b"
)
_NUMBER = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|millions?"
    r"|billions?|half|twice|once|no|none)\b"
)
_SOMEBODY = (
    r"(?-i:[A-Z])|\b(?:he|she|they|him|her|them|it|president|minister|ministry|government|company|companies|people"
    r"|police)\b"
)
_PLACE = r"(?-i:[A-Z])|\b(?:in|at|on|near)\b"

# In this order: "in which year" is a time although "which" may ask for anything.
_KINDS = tuple(
    (re.compile(rf"\b(?:{asks})\b", re.IGNORECASE), re.compile(holds, re.IGNORECASE))
    for asks, holds in (
        (r"when|(?:what|which) (?:day|date|year|month|time)|since when|how long|how old", _TIME),
        (r"how (?:many|much|far|tall|high|big|large|often|fast|heavy|deep)", _NUMBER),
        (r"what (?:number|percentage|share|proportion)", _NUMBER),
        (r"whos?|whom|whose|which (?:person|country|company|ministry|agency)", _SOMEBODY),
        (r"where|(?:what|which) (?:city|country|place|state|town|region|province|county)", _PLACE),
    )
)


# "Who is Marie Curie?", and not "Who is the manager?".
_WHO_IS = re.compile(
    r"^\W*who(?:['’]?s|\s+(?:is|was|are|were))\s+(?!(?:the|an?|this|that|your?)\b|(?:it|he|she|they)\W*$)"
    r"(?P<name>[^\W\d_][\w.’'-]*(?:\s+[^\W\d_][\w.’'-]*){0,3})\W*$",
    re.IGNORECASE,
)
_OWNED = re.compile(r"['’]s?\b|\b(?:of|in|for|to|by|and|behind)\b", re.IGNORECASE)
# Bounded, so that no sentence makes them slow.
_BETWEEN = r"[\s,(–—-]{0,3}"
_IS = r"(?:(?:is|was|are|were|became|the|an?)\s{1,3}){0,3}"


def kind_fits(query: str, span: str, sentence: str = "") -> float:
    """Return 1.0 if `span` holds the kind of thing that `query` asks for, 0.0 if not, 0.5 if it asks for none.

    Asked who somebody is, what fits in `sentence` says so beside the name: "spokesman He Yadong", "Curie, a chemist".
    """
    somebody = _WHO_IS.match(query) if sentence else None
    if somebody is not None and _OWNED.search(somebody["name"]) is None:
        return float(_says_who(span, somebody["name"], sentence))
    for asks, holds in _KINDS:
        if asks.search(query):
            return float(holds.search(span) is not None)
    return 0.5


def _says_who(span: str, name: str, sentence: str) -> bool:
    """Return whether `span` stands beside the last word of `name` in `sentence`, or holds it with more words."""
    words, named = (set(re.findall(r"\w+", text.casefold())) for text in (span, name))
    if words <= named:
        return False
    told, last = re.escape(span.strip(" .,;")), re.escape(name.split()[-1].strip(".’'"))
    whole = r"(?:[\w.’'-]{1,40}\s{1,3}){0,3}?"
    before = rf"{told}{_BETWEEN}{whole}{last}\b"
    behind = rf"\b{last}{_BETWEEN}{_IS}{told}"
    inside = re.search(rf"\b{last}\b", span, re.IGNORECASE) is not None
    return inside or re.search(rf"{before}|{behind}", sentence, re.IGNORECASE) is not None
