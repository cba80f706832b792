"""A short form of `python -m benchmarks.fuzz`, and that it would find what it looks for."""

import random
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from benchmarks import fuzz
from index.errors import UnreadableDocument
from index.load.parts import Loaded
from index.types import LoadedDocument, Metadata


def after(cases: int) -> Callable[[], bool]:
    counted = count()
    return lambda: next(counted) >= cases


@pytest.mark.parametrize("suffix", sorted({Path(name).suffix for name, _ in fuzz.corpus(None)}))
def test_damaged_files_are_documents_that_keep_every_promise_or_errors_that_name_them(suffix: str) -> None:
    tally = fuzz.fuzz(after(25), random.Random(suffix), suffix, None)
    assert (tally.cases, tally.findings) == (25, [])
    assert tally.outcomes.total() == 25


def test_the_same_seed_makes_the_same_damage() -> None:
    name, data = fuzz.corpus(".docx")[0]
    made = [fuzz.repacked(data, [data], random.Random(7)) for _ in range(2)]
    assert made[0] == made[1] != data
    assert fuzz.damaged(data, [data], random.Random(1)) != fuzz.damaged(data, [data], random.Random(2)), name


@pytest.mark.parametrize("text", ["Tide\0.", "Tide.\r\nEbb.", "e\u0301 tide", " \n", "", "Tide.\n\n\n\nEbb."])
def test_text_that_is_not_canonical_is_a_broken_promise(text: str) -> None:
    assert fuzz.broken_promise(LoadedDocument(text, Metadata(), "")) is not None
    assert fuzz.broken_promise(LoadedDocument("The tide.", Metadata(), "")) is None


def test_an_error_of_another_kind_is_a_finding_and_its_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(loader: object, data: bytes, name: str) -> Loaded:
        if len(data) % 2:
            raise KeyError(name)
        raise UnreadableDocument(name, "damaged")

    monkeypatch.setattr("benchmarks.fuzz.SafeLoader.load", broken)
    tally = fuzz.fuzz(after(30), random.Random(3), ".txt", tmp_path / "kept")
    assert 0 < len(tally.findings) < 30
    assert len(list((tmp_path / "kept").iterdir())) == len(tally.findings)
    assert tally.outcomes[".txt other error"] == len(tally.findings)
