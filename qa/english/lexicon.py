"""Lists of English words, and the forms of verbs: what `grammar.py` knows. They are closed where English is."""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ASKING = _set("who whom whose what which when where why how")
DO = _set("do does did")
BE = _set("is are was were 's am be been being")
HAVE = _set("has have had")
MODAL = _set("can could will would shall should may might must")
ARTICLES = _set("the a an some any every each no all both another many much few several such most my your our")
PRONOUNS = _set(
    "i you we he she it they me us him her them his its their hers theirs this that these those one ones there so "
    "himself herself itself themselves anyone anything somebody someone something nobody nothing everyone "
    "everything"
)
BEFORE = _set(
    "of in on at by for to from with about into onto over under after before since until till during against "
    "between among through throughout without within off near around across behind beyond toward towards upon per "
    "like than as despite besides beside above below along versus vs via"
)
JOINING = _set("and or but if because when while whether although though that who which where nor")
ADVERBS = _set(
    "actually again ago almost already also always away back best better down early else even ever exactly far "
    "first here instead just last late later less long longer more much n't never not now often once only out quite "
    "rather really so sometimes soon still then today together too up usually very well worse worst yet"
)
NO_ADVERBS = _set("family assembly july italy monopoly anomaly butterfly ally jelly belly bully holly lily ugly early")
NUMBERS = _set("one two three four five six seven eight nine ten eleven twelve hundred thousand million billion half")
NATIONAL = _set(
    "American Australian Austrian Belgian Brazilian British Bulgarian Canadian Chilean Chinese Colombian Cuban "
    "Czech Danish Dutch Egyptian English European Finnish French German Greek Hungarian Icelandic Indian Indonesian "
    "Iranian Iraqi Irish Israeli Italian Japanese Kenyan Korean Malaysian Mexican Moroccan Nepali Nigerian "
    "Norwegian Pakistani Polish Portuguese Romanian Russian Rwandan Scottish Spanish Swedish Swiss Syrian Thai "
    "Tibetan Turkish Ukrainian Vietnamese Welsh African Asian Arab Latin Western Eastern"
)
VERBS = _set(
    "accept accuse achieve act adapt add address admit adopt affect agree aim allow announce answer apologise "
    "apologize appear apply appoint argue arrest arrive ask attack attend attract avoid award ban be become begin "
    "believe belong blame break bring build burn buy call cancel carry catch cause change charge claim climb close "
    "collapse collect come compare compensate complain condemn confirm connect consider consist contain continue "
    "contribute control cook cost count cover create criticise criticize cross cure cut damage deal decide declare "
    "decline deliver demand deny depend describe design destroy develop die differ disappear discover discuss "
    "divide do donate draw drink drive drop earn eat elect employ enable encourage end enjoy enter escape establish "
    "estimate evolve exist expect explain export express face fail fall fear feel fight fill find finish fit fix "
    "flee fly focus follow force forecast forget form found free gain gather generate get give go grow halt happen "
    "hate have hear help hide hire hit hold hope hurt identify impact import improve include increase influence "
    "inform inspect inspire intend interact invade invent invest investigate invite involve join jump keep kill "
    "know land last launch lead learn leave let lie like limit link live look lose love make manage marry matter "
    "mean measure meet mention merge mind miss mix move name need notice object obtain occupy occur offer open "
    "operate order originate own paint pass pay perform pick place plan play point prefer prepare present prevent "
    "produce promise promote propose protect protest prove provide publish pull push put raise reach react read "
    "realise realize receive recognise recognize recommend record recover reduce refuse regret reject relate "
    "release remain remember remove replace reply report represent request require rescue resign resist respond "
    "return reveal rise run save say search see seem sell send serve set settle share shoot show sign sing sink sit "
    "sleep smell solve speak spend split sponsor spread stand start stay steal stop study sue suffer suggest supply "
    "support suppose survive suspect swap swim switch take talk taste teach tell test think threaten throw touch "
    "trade train translate transport travel treat trust try turn uncover understand use value visit vote wait walk "
    "want warn watch wear weigh win wish withdraw work worry write"
)
PAST = {
    "become": "became", "begin": "began", "break": "broke", "bring": "brought", "build": "built", "buy": "bought",
    "catch": "caught", "come": "came", "cost": "cost", "cut": "cut", "deal": "dealt", "do": "did", "draw": "drew",
    "drink": "drank", "drive": "drove", "eat": "ate", "fall": "fell", "feel": "felt", "fight": "fought",
    "find": "found", "flee": "fled", "fly": "flew", "forget": "forgot", "get": "got", "give": "gave", "go": "went",
    "grow": "grew", "have": "had", "hear": "heard", "hide": "hid", "hit": "hit", "hold": "held", "hurt": "hurt",
    "keep": "kept", "know": "knew", "lead": "led", "leave": "left", "let": "let", "lie": "lay", "lose": "lost",
    "make": "made", "mean": "meant", "meet": "met", "pay": "paid", "put": "put", "read": "read", "rise": "rose",
    "run": "ran", "say": "said", "see": "saw", "sell": "sold", "send": "sent", "set": "set", "shoot": "shot",
    "show": "showed", "sing": "sang", "sink": "sank", "sit": "sat", "sleep": "slept", "speak": "spoke",
    "spend": "spent", "split": "split", "spread": "spread", "stand": "stood", "steal": "stole", "swim": "swam",
    "take": "took", "teach": "taught", "tell": "told", "think": "thought", "throw": "threw",
    "understand": "understood", "wear": "wore", "win": "won", "withdraw": "withdrew", "write": "wrote",
}  # fmt: skip
PARTICIPLES = _set(
    "become begun broken brought built bought caught come cost cut dealt done drawn drunk driven eaten fallen felt "
    "fought found fled flown forgotten got given gone grown had heard hidden hit held hurt kept known led left let "
    "lain lost made meant met paid put read risen run said seen sold sent set shot shown sung sunk sat slept spoken "
    "spent split spread stood stolen swum taken taught told thought thrown understood worn won withdrawn written "
    "born called named"
)


def past(verb: str) -> str:
    """Return the past tense of a verb in its base form."""
    if verb in PAST:
        return PAST[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ied"
    doubled = verb in {"ban", "drop", "plan", "stop", "swap", "admit", "refer"}
    return f"{verb}{verb[-1]}ed" if doubled else f"{verb}ed"


def third(verb: str) -> str:
    """Return the form of a verb behind "she"."""
    if verb in {"have", "be"}:
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else f"{verb}s"


def _ing(verb: str) -> str:
    return f"{verb[:-1]}ing" if verb.endswith("e") and not verb.endswith("ee") else f"{verb}ing"


THIRD = frozenset(third(verb) for verb in VERBS)
TENSED = frozenset(past(verb) for verb in VERBS) | THIRD
FORMS = (
    VERBS | TENSED | PARTICIPLES | frozenset(_ing(verb) for verb in VERBS) | _set("getting planning running stopping")
)
HELPING = DO | BE | HAVE | MODAL | _set("isn't aren't wasn't weren't don't doesn't didn't can't won't hasn't haven't")
OWNERS = _set("his her its their my your our")
RANKING = _set("first last best early late long worst")
MEASURELESS = HELPING | ARTICLES | BEFORE | PRONOUNS | JOINING
"""Behind "how", anything else says of what measure: "how old"."""
