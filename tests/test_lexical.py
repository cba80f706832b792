from __future__ import annotations

import json
import shutil
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.lexical import LexicalIndex
from index.library import Library
from index.postings import Entry, write
from index.store import LocalStore
from index.sync import sync
from index.terms import analyze
from index.types import Filter
from index.words import GenerationWords
from tests.fakes import HashingEmbedder, write_files

TEXTS = {
    1: "The harbour closes at high tide.",
    2: "The tide turns twice a day, and the tide waits for nobody.",
    3: "A lighthouse stands above the rocks.",
    4: "Cats sleep.",
}


HISTORY = "one"


def entry(number: int, text: str, title: str = "Coast") -> Entry:
    return number, title, text


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    made = LexicalIndex(tmp_path, HISTORY)
    made.rebuild([entry(n, text) for n, text in TEXTS.items()])
    return made


def words_of(library: Path) -> LexicalIndex:
    """Return the word index of a library as the next process finds it."""
    opened = Library(library)
    try:
        return LexicalIndex(library, opened.meta["history"])
    finally:
        opened.close()


def ranking(index: LexicalIndex, words: str, limit: int = 10) -> list[tuple[int, float]]:
    """Return what is found by words where all that the index holds is live."""
    searcher = index.searcher()
    return GenerationWords(searcher, searcher.ids()).search(words, limit)


def found(index: LexicalIndex, words: str) -> list[int]:
    return [number for number, _ in ranking(index, words)]


# ---- searching -----------------------------------------------------------------------------------


def test_finds_passages_that_share_a_word_best_first(index: LexicalIndex) -> None:
    assert found(index, "tide") == [2, 1]
    assert found(index, "harbour tide") == [1, 2]
    assert found(index, "zebra") == []
    scores = [score for _, score in ranking(index, "the tide harbour")]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


@pytest.mark.parametrize("words", ["cat", "CATS", "Cat's", "cät", "sleeping", "lighthouses, or cats"])
def test_case_accents_and_endings_do_not_matter(index: LexicalIndex, words: str) -> None:
    assert 4 in found(index, words)


def test_a_title_counts_less_than_the_text(index: LexicalIndex) -> None:
    index.add([entry(5, "Nothing of note.", "Zebra"), entry(6, "Zebra of note.", "Nothing")])
    assert found(index, "zebra") == [6, 5]


def test_words_are_analysed_as_the_index_holds_them() -> None:
    assert analyze("The Tides, the tide; CAFÉS!") == ["the", "tide", "cafe"]


@pytest.mark.parametrize(
    "words",
    (
        '| |"|"tide|tide AND|AND OR NOT|text:tide|title:*|tide^9|(|tide)|[a TO b]|{|~|+tide -harbour|\\|tide\\|/tide/|'
        "*|?|\U0001f600|\u202e tide|\x00"
    ).split("|"),
)
def test_no_character_of_a_query_is_syntax(index: LexicalIndex, words: str) -> None:
    check_query(index, words)


@pytest.mark.parametrize("words", ["a" * 100_000, "tide " * 5_000], ids=["one word", "many words"])
def test_a_query_may_be_long(index: LexicalIndex, words: str) -> None:
    check_query(index, words)


def check_query(index: LexicalIndex, words: str) -> None:
    expected = {2, 1} if "tide" in analyze(words) else set()
    assert expected <= set(found(index, words)) <= set(TEXTS)
    if not analyze(words):
        assert found(index, words) == []


@settings(max_examples=100, deadline=None)
@given(words=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_query_is_answered(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "any query"
    made = LexicalIndex(folder, HISTORY)
    if made.complete_to < 0:
        made.rebuild([entry(n, text) for n, text in TEXTS.items()])
    # As many different terms as count.
    query = f"tide {words[:60]}"
    assert {1, 2} <= set(found(made, query)) or "tide" not in analyze(query)


def test_a_limit_is_kept_and_may_be_nothing(index: LexicalIndex) -> None:
    assert len(ranking(index, "the tide a cat", 2)) == 2
    assert ranking(index, "tide", 0) == []


# ---- writing -------------------------------------------------------------------------------------


def test_adding_twice_is_harmless(index: LexicalIndex) -> None:
    for _ in range(2):
        index.add([entry(4, "Cats wake."), entry(5, "Dogs bark.")])
    assert index.searcher().ids() == [1, 2, 3, 4, 5]
    assert (found(index, "wake"), found(index, "sleep"), index.complete_to) == ([4], [], 5)


def test_removing_what_is_not_there_is_harmless(index: LexicalIndex) -> None:
    index.remove([2, 99])
    index.remove([2])
    assert (index.searcher().ids(), found(index, "tide")) == ([1, 3, 4], [1])
    # What was taken out is not missing.
    assert (index.complete_to, index.serves(4), index.serves(5)) == (4, True, False)


def test_large_numbers_are_told_apart(index: LexicalIndex) -> None:
    large = [2**31, 2**32 + 1, 2**46]
    index.add([entry(n, "Large number.") for n in large])
    index.remove([2**32 + 1])
    assert index.searcher().ids() == [1, 2, 3, 4, 2**31, 2**46]


def test_a_searcher_is_frozen_and_another_process_shows_after_a_reload(index: LexicalIndex, tmp_path: Path) -> None:
    other = LexicalIndex(tmp_path, HISTORY)
    frozen = other.searcher()
    index.add([entry(5, "Dogs bark.")])
    index.remove([1])
    assert frozen.ids() == other.searcher().ids() == [1, 2, 3, 4]
    other.reload()
    assert (other.searcher().ids(), other.complete_to) == ([2, 3, 4, 5], 5)
    index.rebuild([entry(9, "All new.")])
    assert frozen.ids() == [1, 2, 3, 4]
    assert [number for number, _ in GenerationWords(frozen, frozen.ids()).search("tide", 10)] == [2, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "keep"]), st.sets(st.integers(1, 40), max_size=9))))
def test_any_order_of_adding_and_removing_leaves_what_it_should(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    made = LexicalIndex(folder, HISTORY)
    made.rebuild([])
    held: set[int] = set()
    newest = 0
    for act, numbers in steps:
        if act == "add":
            numbers = {newest + n for n in numbers}
            made.add([entry(n, f"word{n} tide") for n in sorted(numbers)])
            held |= numbers
            newest = max([newest, *numbers])
        elif act == "remove":
            made.remove(numbers)
            held -= numbers
        else:
            made.keep(numbers)
            held &= numbers
        for index in (made, LexicalIndex(folder, HISTORY)):
            assert (index.searcher().ids(), index.complete_to) == (sorted(held), newest)
            assert found(index, "tide") == sorted(held)[:10]
        assert all(found(made, f"word{n}") == [n] * (n in held) for n in range(1, newest + 1))
        assert {path.name for path in (folder / "words").iterdir()} == {
            "state.json", *(segment.name for segment in made.searcher().segments)
        }  # fmt: skip


def test_what_never_came_to_its_commit_is_replaced_by_what_comes_next(index: LexicalIndex) -> None:
    index.add([entry(n, "Dogs bark.") for n in (5, 6, 7)])
    index.add([entry(5, "Birds sing.")])
    assert (index.searcher().ids(), index.complete_to) == ([1, 2, 3, 4, 5], 5)
    assert (found(index, "bark"), found(index, "sing")) == ([], [5])


def test_many_small_additions_become_few_segments(index: LexicalIndex) -> None:
    for number in range(5, 205):
        index.add([entry(number, f"Day {number}, tide {number % 7}.")])
    assert index.searcher().ids() == list(range(1, 205))
    assert len(index.searcher().segments) <= 5
    assert found(index, "day 77")[0] == 77


def test_what_was_taken_out_is_in_no_file(index: LexicalIndex, tmp_path: Path) -> None:
    index.add([entry(5, "Zanzibar tides."), entry(6, "Dogs.")])
    index.remove([5])
    held = b"".join(path.read_bytes() for path in (tmp_path / "words").iterdir())
    assert b"tide" in held
    assert b"zanzibar" not in held


def test_segments_of_many_pieces_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        entry(n, " ".join(f"w{k}" for k in range(n % 13)) + " tide" * (n % 11), f"Coast {n % 3}") for n in range(1, 90)
    ]
    whole, pieces = (LexicalIndex(tmp_path / name, HISTORY) for name in ("whole", "pieces"))
    whole.rebuild(entries)
    # Drafts of some passages, merged and thinned some terms at a time.
    monkeypatch.setattr("index.postings._DRAFT", 50)
    monkeypatch.setattr("index.postings._CHUNK", 7)
    pieces.rebuild(entries)
    for made in (whole, pieces):
        made.remove(range(1, 90, 5))
    for query in ("tide", "w1 w7", "coast tide w12", "0 1 2"):
        assert ranking(whole, query, 100) == ranking(pieces, query, 100) != []


def test_what_is_gathered_for_a_segment_takes_some_bytes_a_posting(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(1_000)]
    entries = [entry(n, " ".join(words[n % 7 :: 7]), "") for n in range(1, 1_000)]
    analyze("warm up")
    tracemalloc.start()
    try:
        (made,) = write(tmp_path, entries, iter(["one.segment"]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    postings = sum(len(made.holding("text", word)) for word in words)
    assert postings > 100_000
    assert peak < 32 * postings


def test_an_error_while_writing_changes_nothing_and_blocks_nobody(index: LexicalIndex) -> None:
    def broken() -> Iterator[Entry]:
        yield entry(5, "Dogs bark.")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held:  # holds the frames, and all that is in them
        index.add(broken())
    assert (index.searcher().ids(), index.complete_to) == ([1, 2, 3, 4], 4)
    with pytest.raises(KeyboardInterrupt):
        index.rebuild(broken())
    assert index.searcher().ids() == [1, 2, 3, 4]
    index.rebuild([entry(5, "Dogs bark.")])
    assert (index.searcher().ids(), index.complete_to) == ([5], 5)
    assert held.type is KeyboardInterrupt


# ---- damage --------------------------------------------------------------------------------------


def delete_all(words: Path) -> None:
    shutil.rmtree(words)


def empty_folder(words: Path) -> None:
    shutil.rmtree(words)
    words.mkdir()


def write_state(content: bytes) -> Callable[[Path], None]:
    def change(words: Path) -> None:
        (words / "state.json").write_bytes(content)

    return change


def state_of(**values: object) -> Callable[[Path], None]:
    def change(words: Path) -> None:
        state = json.loads((words / "state.json").read_text())
        (words / "state.json").write_text(json.dumps({**state, **values}))

    return change


def every(suffix: str, change: Callable[[bytes], bytes] | None) -> Callable[[Path], None]:
    def damage(words: Path) -> None:
        files = [path for path in words.iterdir() if path.name.endswith(suffix)]
        assert files
        for path in files:
            if change is None:
                path.unlink()
            else:
                path.write_bytes(change(path.read_bytes()))

    return damage


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeros(data: bytes) -> bytes:
    return b"\0" * len(data)


def flipped(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def longer(data: bytes) -> bytes:
    return data + b"\0"


def swapped(data: bytes) -> bytes:
    """Return a segment that says it has more passages than it has, with the checksum of just that."""
    said = data[:8] + (1 << 40).to_bytes(8, "little") + data[16:-4]
    return said + zlib.crc32(said).to_bytes(4, "little")


@pytest.mark.parametrize(
    "damage",
    [delete_all, empty_folder]
    + [write_state(content) for content in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 3, "complete_to": 2}')]
    + [state_of(format=99), state_of(complete_to=0), state_of(history="another"), state_of(complete_to="x")]
    + [state_of(segments=names) for names in (["gone.segment"], ["../library.sqlite"], [7], None, "x")]
    + [every(".segment", change) for change in (None, half, zeros, flipped, longer, lambda data: b"", swapped)],
)
def test_a_damaged_or_missing_index_is_rebuilt_when_the_library_is_opened(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TEXTS[1], "b.txt": TEXTS[2]})
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [folder])
    damage(library / "words")
    store = LocalStore(library, HashingEmbedder())
    try:
        assert [hit.passage.text for hit in store.current().by_words("tide", 5, Filter())] == [TEXTS[2], TEXTS[1]]
    finally:
        store.close()
    rebuilt = words_of(library)
    assert (rebuilt.searcher().ids(), rebuilt.complete_to) == ([1, 2], 2)


@pytest.mark.parametrize("damage", [delete_all, write_state(b"{"), every(".segment", None)])
def test_a_sync_rebuilds_a_damaged_index_too(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TEXTS[1], "b.txt": TEXTS[2]})
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [folder])
    damage(library / "words")
    write_files(folder, {"c.txt": TEXTS[3]})
    assert sync(library, HashingEmbedder(), [folder]).added == ("c.txt",)
    assert words_of(library).searcher().ids() == [1, 2, 3]


def test_what_an_interrupted_write_left_behind_is_swept_by_the_next_sync(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TEXTS[1], "b.txt": TEXTS[2]})
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [folder])
    left = write_files(library / "words", {"half.segment": "cit", "state.json.new": "{", "meta.json": "{}"})
    assert len(list(left.iterdir())) == 5
    (folder / "a.txt").unlink()
    sync(library, HashingEmbedder(), [folder])
    # The document that is gone is still in the first generation, which can be asked.
    assert words_of(library).searcher().ids() == [1, 2]
    assert len(list(left.iterdir())) == 2


def test_a_file_put_back_by_hand_is_answered_from_though_the_index_beside_it_is_newer(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", {"a.txt": TEXTS[1], "b.txt": TEXTS[2]})
    library = tmp_path / "library"
    sync(library, HashingEmbedder(), [folder])
    backup = (library / "library.sqlite").read_bytes()
    (folder / "a.txt").unlink()
    write_files(folder, {"c.txt": TEXTS[3], "d.txt": TEXTS[4]})
    sync(library, HashingEmbedder(), [folder])
    (library / "library.sqlite").write_bytes(backup)
    write_files(folder, {"a.txt": TEXTS[1], "c.txt": "Another lighthouse.", "d.txt": "Dogs bark."})
    for _ in range(2):
        store = LocalStore(library, HashingEmbedder())
        for word, text in (("harbour", TEXTS[1]), ("another", "Another lighthouse."), ("bark", "Dogs bark.")):
            there = word == "harbour" or store.current().generation.number == 2
            hits = store.current().by_words(word, 5, Filter())
            assert [hit.passage.text for hit in hits] == ([text] if there else [])
        assert store.current().by_words("cats", 5, Filter()) == []
        store.close()
        # The passages that it adds have numbers that the index has already, for others.
        sync(library, HashingEmbedder(), [folder])
