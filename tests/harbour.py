"""The text that the files under `tests/files` were made from, sentence by sentence."""

from __future__ import annotations

import re
from pathlib import Path

FILES = Path(__file__).resolve().parent / "files"
_QUOTES = str.maketrans("“”’‘", "\"\"''")


def sentences() -> list[str]:
    """Return every sentence of `harbour.md`: each is a line there."""
    source = (FILES / "harbour.md").read_text("utf-8").split("---\n", 2)[2]
    found = []
    for line in source.splitlines():
        if line and not line.startswith(("|", "#")):
            found.append(re.sub(r"^- |\[\^audit\](?:: )?", "", line))
    return found


def broken_sentences(text: str) -> list[str]:
    """Return the sentences of the source that do not stand whole on one line of `text`; all quotes are alike."""
    lines = text.translate(_QUOTES).split("\n")
    return [sentence for sentence in sentences() if not any(sentence in line for line in lines)]
