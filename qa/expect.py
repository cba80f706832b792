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
        (r"who|whom|whose|which (?:person|country|company|ministry|agency)", _SOMEBODY),
        (r"where|(?:what|which) (?:city|country|place|state|town|region|province|county)", _PLACE),
    )
)


def kind_fits(query: str, span: str) -> float:
    """Return 1.0 if `span` holds the kind of thing that `query` asks for, 0.0 if not, 0.5 if it asks for none."""
    for asks, holds in _KINDS:
        if asks.search(query):
            return float(holds.search(span) is not None)
    return 0.5
