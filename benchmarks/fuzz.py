"""Hostile files by the thousand: does a loader ever crash, hang, swell, or give text that breaks a promise?

usage: python -m benchmarks.fuzz --minutes 10 [--seed N] [--format pdf] [--save FILE]

Files made by real tools, and small ones written here, are damaged: bytes changed, cut out, repeated, spliced with
another file's, or filled with what is known to hurt (entities, deep nesting, huge numbers, controls, marks of
direction); members of packed files also before they are packed again. Each is loaded as a sync loads it, in a child
process, and what comes out is cut into sentences and passages. A *finding* is whatever else happens than a document
that keeps every promise of `docs/architecture.md` or an error that names the file: each is kept, to be run again.
"""

from __future__ import annotations

import argparse
import io
import random
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.bench import machine
from benchmarks.figures import Figures
from index.errors import DocumentError
from index.load import SUFFIXES
from index.load.files import MIB
from index.load.isolate import SafeLoader
from index.load.limits import Limits
from index.load.normalise import normalise, tidy
from index.passages import PassagePolicy, cut
from index.sentences import split
from index.types import Kind, LoadedDocument

FILES = Path(__file__).parents[1] / "tests" / "files"
# Small, so that a file that would swell or hang is known by the limit that it hits.
LIMITS = Limits(seconds=10.0, memory=1024 * MIB, unpacked=64 * MIB)
# A child that is given up is ended and replaced, which takes a while on a busy machine.
_SLOW_SECONDS = 2 * LIMITS.seconds
_LARGEST = 200_000
_PACKED = {".docx", ".pptx", ".xlsx", ".epub", ".zip"}
_WRITTEN = {
    "a.txt": "The harbour closes at high tide.\n\nA lamp is lit; Mr. Berg said: “Naïve!”\n",
    "a.md": "---\ntitle: Tide\ntags: [a, b]\n---\n# The tide\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- two\n",
    "a.html": "<html><head><title>Tide</title></head><body><article><h1>Tide</h1><p>It is high.</p></article></body>"
    "</html>",
    "a.json": '{"title": "Tide", "text": "The tide is high.", "published_at": "2026-01-10", "tags": ["a"]}',
    "a.jsonl": '{"title": "Tide", "text": "High."}\n{"title": "Ebb", "text": "Low."}\n',
    "a.csv": "title,text\nTide,High\nEbb,\"Low, at last\"\n",
    "a.rss": '<?xml version="1.0"?><rss version="2.0"><channel><item><title>Tide</title><description>High.'
    "</description></item></channel></rss>",
    "a.eml": "From: a@example.org\nSubject: Tide\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n"
    "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nHigh=20tide.\n--x--\n",
}  # fmt: skip
_HURTS = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", "\u202e\u2066".encode(), "\u0301".encode() * 500,
    b"<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;&b;'>]>", b"&d;&d;&d;", b"<!ENTITY e SYSTEM 'file:///etc/passwd'>",
    b"<div>" * 2_000, b"[" * 2_000, b"{\"a\":" * 500, b"(" * 2_000, b"999999999999999999999", b"-1", b"1e999", b"NaN",
    b"../../../../etc/passwd", b"/JavaScript /JS (app.alert(1))", b"obj << /Length 99999999 >> stream", b"%%EOF",
    b"=\"" * 500, b"\r" * 500, b"--x\n" * 500, b"a" * 5_000, " \u00a0\u2028\u2029".encode() * 200, b"\\u0000\\ud800",
    b"]]>", b"<script>alert(1)</script>", b"![](", b"|" * 2_000, b"#" * 2_000, b"> " * 1_000, b"!!python/object:a",
]  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What came of the cases so far."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def note(self, problem: str, name: str, data: bytes, keep: Path | None) -> None:
        """Note a finding, and keep its file."""
        self.findings.append(f"{name}: {problem}")
        print(f"finding: {name}: {problem}", flush=True)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{len(self.findings):04d}-{name}").write_bytes(data)


def corpus(suffix: str | None) -> list[tuple[str, bytes]]:
    """Return names and contents of the files to begin with, of one suffix if it is given."""
    made = [(name, text.encode()) for name, text in _WRITTEN.items()]
    made += [(path.name, path.read_bytes()) for path in sorted(FILES.iterdir()) if path.suffix in SUFFIXES]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _WRITTEN.items():
            archive.writestr(f"folder/{name}", text)
    made.append(("a.zip", packed.getvalue()))
    return [one for one in made if len(one[1]) <= _LARGEST and suffix in (None, Path(one[0]).suffix)]


def damaged(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return `data` after one to a dozen accidents."""
    octets = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(octets) + 1)
        to = min(len(octets), at + rng.choice([1, 1, 4, 64, 1_000]))
        accident = rng.randrange(7)
        if accident == 0:
            octets[at:to] = rng.randbytes(to - at)
        elif accident == 1:
            del octets[at:to]
        elif accident == 2:
            octets[at:at] = octets[at:to] * rng.choice([1, 2, 50])
        elif accident == 3:
            octets[at:at] = rng.choice(_HURTS)
        elif accident == 4:
            octets[at:to] = rng.choice(_HURTS)
        elif accident == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            octets[at:to] = other[start : start + rng.choice([1, 16, 500])]
        elif rng.random() < 0.1:
            del octets[at:]
        if len(octets) > _LARGEST:
            del octets[_LARGEST:]
    return bytes(octets)


def repacked(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a packed file with one of its members damaged."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            # With no time of its own, so that a seed makes the same bytes at any time.
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, damaged(content, others, rng) if name == chosen else content)
    return out.getvalue()


def broken_promise(document: LoadedDocument) -> str | None:
    """Return which promise a document breaks, None if none."""
    text = document.text
    if tidy(normalise(text)) != text:
        return "its text is not canonical"
    if "\0" in text or "\r" in text or not text.strip():
        return "its text has what canonical text has not"
    sentences = split(text, document.metadata.language)
    covered = 0
    for sentence in sentences:
        span = sentence.span
        if (
            not covered <= span.start < span.end <= len(text)
            or "\n" in span.of(text)
            or text[covered : span.start].strip()
        ):
            return f"its sentences do not cover it ({span})"
        covered = span.end
    if text[covered:].strip():
        return "its last sentence ends early"
    passages = cut(sentences, [len(s.span.of(text).split()) for s in sentences], PassagePolicy())
    told = {s.span for s in sentences if s.kind is not Kind.NAVIGATION}
    if {s.span for p in passages for s in p.sentences} != told:
        return "its passages do not hold its sentences"
    if list(document.pages) != sorted(document.pages) or any(not 0 <= page <= len(text) for page in document.pages):
        return "its pages are out of order"
    return None


def fuzz(until: Callable[[], bool], rng: random.Random, suffix: str | None, keep: Path | None) -> Tally:
    """Load damaged files until it is time, and return what came of them."""
    tally = Tally()
    files = corpus(suffix)
    contents = [data for _, data in files]
    with SafeLoader(LIMITS) as loader:
        while not until():
            name, data = rng.choice(files)
            packed = Path(name).suffix in _PACKED and rng.random() < 0.5
            data = (repacked if packed else damaged)(data, contents, rng)
            started = time.perf_counter()
            try:
                loaded = loader.load(data, name)
                for document in loaded.documents:
                    if (problem := broken_promise(document)) is not None:
                        tally.note(problem, name, data, keep)
                outcome = "loaded" if not loaded.failures else "loaded in part"
            except DocumentError as error:
                outcome = type(error).__name__
                if "memory" in str(error) or "crashed" in str(error):
                    outcome = f"{outcome}: contained by the child's limits"
            except Exception as error:  # whatever it is, it is what is looked for
                outcome = "other error"
                tally.note(repr(error), name, data, keep)
            seconds = time.perf_counter() - started
            if seconds > _SLOW_SECONDS:
                tally.note(f"took {seconds:.0f} s", name, data, keep)
            tally.slowest = max(tally.slowest, seconds)
            tally.cases += 1
            tally.outcomes[f"{Path(name).suffix} {outcome}"] += 1
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", help="one format only, by its suffix")
    parser.add_argument("--keep", type=Path, help="where the files of findings are kept")
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    suffix = None if given.format is None else f".{given.format.lstrip('.')}"
    known = sorted({Path(name).suffix for name, _ in corpus(None)})
    if suffix not in (None, *known):
        parser.error(f"there is no file to begin with for {suffix}; there is for {', '.join(known)}")
    end = time.monotonic() + 60 * given.minutes
    tally = fuzz(lambda: time.monotonic() > end, random.Random(given.seed), suffix, given.keep)
    figures = Figures(width=20)
    only = "" if suffix is None else f" --format {suffix[1:]}"
    figures.add("command", f"python -m benchmarks.fuzz --minutes {given.minutes:g} --seed {given.seed}{only}")
    figures.add("cases", tally.cases)
    figures.add("minutes", given.minutes)
    figures.add("findings", tally.findings)
    figures.add("slowest seconds", round(tally.slowest, 1))
    figures.add("outcomes", dict(sorted(tally.outcomes.items())))
    figures.add_all(machine())
    figures.save(given.save)


if __name__ == "__main__":
    main()
