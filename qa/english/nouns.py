"""Nouns and adjectives: what they can be, one or several. Lists and endings for English."""

from __future__ import annotations

PEOPLE = frozenset(
    "people men women children boys girls man woman child boy girl person king queen president minister chancellor "
    "premier leader founder author writer director manager ceo coach player scientist scientists researcher "
    "researchers teacher doctor lawyer mother father brother sister son daughter wife husband grandfather "
    "grandmother friend friends gunman police workers employees winners residents fans students villagers officials "
    "sources experts fisherman spokesperson spokesman spokeswoman artist singer actor actress pirate climber "
    "ecologist governor mayor owner chairman curator professor archaeologist psychologist anthropologist journalist "
    "judge officer soldier student worker employee winner resident visitor visitors customer customers pope prince "
    "princess".split()
)
PLACES = frozenset(
    "country city town village state place island region province continent county capital area park river lake "
    "world mountain valley nation kingdom desert forest reserve".split()
)
COUNTRIES = frozenset(
    "afghanistan argentina australia austria bangladesh belgium bolivia brazil britain burundi cameroon canada "
    "chile china colombia cuba denmark egypt england europe finland france germany greece hungary iceland india "
    "indonesia iran iraq ireland israel italy japan kazakhstan kenya korea kuwait liberia malaysia mexico morocco "
    "nepal netherlands nigeria norway pakistan peru philippines poland portugal qatar russia rwanda scotland "
    "senegal singapore spain sweden switzerland syria taiwan tanzania thailand tibet tunisia turkey uganda uk "
    "ukraine us usa vietnam wales africa asia america antarctica london paris berlin rome madrid beijing tokyo "
    "moscow washington".split()
)
_PLURAL_HEADS = frozenset("people men women children police media data mice feet teeth media geese fish".split())
_SINGULAR_HEADS = frozenset(
    "news series species status basis process class gas virus bus address business access success progress congress "
    "press loss boss crisis analysis politics physics mathematics economics diabetes sars aids bias lens thus "
    "census consensus octopus cactus focus campus chaos paris texas hepatitis arthritis anaemia".split()
)
RELATIONAL = frozenset(
    "relationship relation cause causes symptom symptoms sign signs cost costs price history effect effects author "
    "type types kind kinds name names age number part role purpose reason reasons meaning origin origins importance "
    "significance benefit benefits advantage advantages disadvantages difference founder result results size "
    "population weight colour color rest lack founding invention discovery treatment treatments use uses example "
    "examples form forms member members share percentage version versions argument source sources criticism problem "
    "idea feature features".split()
)
ADJECTIVES = frozenset(
    "bad good big small large proud common rare famous popular important different similar same cheap expensive "
    "safe dangerous young old healthy harmful fast slow strong weak dead alive true false right wrong ready open "
    "closed free available responsible known rich poor high low hot cold new younger older cheaper bigger smaller "
    "larger faster depressed related sustainable secure successful angry happy sad afraid surprised vegan "
    "independent able".split()
)
_ADJECTIVE_ENDINGS = ("able", "ible", "ful", "ous", "ive", "ical", "less", "ant")
_NO_ADJECTIVES = frozenset("executive detective narrative alternative restaurant plant giant table cable".split())
MONTHS = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday".split()
)


def is_adjective(word: str) -> bool:
    """Return whether a word in lower case says how something is, as far as lists and endings tell."""
    return word in ADJECTIVES or (word.endswith(_ADJECTIVE_ENDINGS) and word not in _NO_ADJECTIVES)


def is_plural(head: str, *, named: bool = False) -> bool:
    """Return whether a noun in lower case means several; a name only if it ends in a clear plural."""
    if head in _PLURAL_HEADS:
        return True
    if named:
        return head.endswith("s") and not head.endswith(("ss", "us", "is", "os", "as", "es")) and len(head) > 4
    return head.endswith("s") and not head.endswith(("ss", "us", "is")) and head not in _SINGULAR_HEADS


def singular(noun: str) -> str:
    """Return a noun in the form for one."""
    irregular = {"people": "person", "men": "man", "women": "woman", "children": "child"}
    if noun.lower() in irregular:
        return irregular[noun.lower()]
    if not is_plural(noun.lower()):
        return noun
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-2] if noun.endswith(("ches", "shes", "sses", "xes")) else noun[:-1]


def plural(noun: str) -> str:
    """Return a noun in the form for several."""
    if is_plural(noun.lower()):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "sh", "ch", "x")) else f"{noun}s"
