"""Libraries for measurements: made-up documents, plausible vectors, and what is drawn of them."""

import http.client
import os
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bank import Bank, Form, KeptVectors
from benchmarks.charts import Panel, picture
from benchmarks.growth import Stages, drawing, ratios, summed_up, table, turn
from benchmarks.servers import Server
from benchmarks.standin import StandIn
from benchmarks.synthetic import Plausible, Writer
from index.check import check_library
from index.sync import ingest

FLOOD = "The river Teller rose by 3.5 metres in March 1987. Mayor Anna Holt closed 12 bridges."
MARKET = "Fish is sold from 6 in the morning. The hall was built by Karl Brandt in 1904."
HARBOUR = "Boats of Port Ellis bring herring. They leave at dawn."
BANK = Bank.of({"Floods": [FLOOD], "Markets": [MARKET, HARBOUR]})


REAL = StandIn().embed([FLOOD, MARKET, HARBOUR, FLOOD + MARKET, MARKET + HARBOUR])
PLAUSIBLE = Plausible(StandIn().fingerprint, REAL)


def test_a_sentence_gives_way_at_names_and_numbers_only() -> None:
    form = Form.of("Mayor Anna Holt closed 12 bridges in 1987.")
    said = form.filled(Random(1), ["Port Ellis"], share=1.0)
    assert said.startswith("Port Ellis closed ")
    assert said.endswith(".")
    assert "12" not in said
    assert abs(int(said[-5:-1]) - 1987) <= 30


@given(st.text(max_size=200))
def test_a_sentence_of_which_nothing_is_exchanged_is_as_it_was(text: str) -> None:
    assert Form.of(text).filled(Random(1), ["Port Ellis"], share=0.0) == text


def test_the_same_number_is_the_same_document_and_another_one_is_not() -> None:
    writer = Writer(BANK)
    assert writer.document(7) == writer.document(7)
    assert writer.document(7).data != writer.document(8).data
    assert writer.document(7).name != writer.document(8).name


def test_a_plausible_vector_has_unit_length_and_is_near_real_ones_of_its_articles() -> None:
    texts = ["Floods; Markets\nAnything.", "Floods; Markets\nAnything else.", "Floods; Floods\nAnything."]
    vectors = PLAUSIBLE.embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert (vectors @ REAL.T).max(axis=1).min() > 0.6
    assert np.array_equal(vectors[1], PLAUSIBLE.embed(texts[1:2])[0])
    assert not np.array_equal(vectors[0], vectors[1])


def test_what_was_embedded_once_is_read_from_the_file(tmp_path: Path) -> None:
    first = KeptVectors(StandIn(), tmp_path / "real.npz")
    wanted = first.embed(["one", "two", "one"])
    first.save()
    never = StandIn()
    assert np.array_equal(KeptVectors(never, tmp_path / "real.npz").embed(["one", "two", "one"]), wanted)
    assert never.embedded == 0


def test_a_made_up_library_is_a_whole_one(tmp_path: Path) -> None:
    writer = Writer(BANK)
    ingest(tmp_path / "library", PLAUSIBLE, [writer.document(number) for number in range(5)])
    checked = check_library(tmp_path / "library")
    assert (checked.problems, checked.documents) == ((), 5)


def test_percentiles_are_observed_values() -> None:
    assert summed_up([float(n) for n in range(1, 101)]) == {"median": 50.5, "p95": 95.0, "p99": 99.0}


def test_ratios_are_to_the_base_and_missing_without_it() -> None:
    assert ratios({1_000: 5.0, 10_000: 10.0, 100_000: 15.0}) == {1_000: 0.5, 10_000: 1.0, 100_000: 1.5}
    assert ratios({1_000: 5.0}) == {}


def test_every_size_has_its_turn_to_be_first() -> None:
    assert [turn([1, 2, 3], number) for number in range(4)] == [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]


def test_a_store_is_timed_by_method_and_gives_what_it_gave() -> None:
    class Store:
        generation = 7

        def embed(self, query: str) -> str:
            return query.upper()

    staged = Stages(Store())  # type: ignore[arg-type]
    assert (staged.generation, staged.embed("a"), staged.embed(query="b")) == (7, "A", "B")
    assert list(staged.taken) == ["embed"]


RESULT = {
    "passages": 10_040,
    "retrieval": {"median": 10.0, "p95": 12.0, "p99": 20.0},
    "whole question, HTTP": {"median": 100.0, "p95": 120.0, "p99": 200.0},
    "stages, median": {"embed": 4.0},
    "MiB when ready": {"resident": 400, "own": 300},
    "MiB after the questions": {"resident": 420, "own": 310},
    "MiB on disk": 30,
}
LARGER = {**RESULT, "passages": 100_200, "retrieval": {"median": 15.0, "p95": 20.0, "p99": 30.0}}


def test_the_table_has_each_size_beside_the_base() -> None:
    lines = {line[:36].strip(): line[36:].split() for line in table({10_000: RESULT, 100_000: LARGER}).splitlines()}
    assert lines["passages"] == ["10,040", "100,200"]
    assert lines["retrieval: median ms"] == ["10.0", "15.0"]
    assert lines["embed: median ms"] == ["4.00", "4.00"]
    assert lines["MiB when ready: own"] == ["300", "300"]
    assert lines["over that at 10,000"] == ["1.00", "1.00"]  # the later one: whole questions


def test_the_picture_is_whole_and_says_what_it_shows() -> None:
    drawn = ElementTree.fromstring(drawing({10_000: RESULT, 100_000: LARGER}))
    said = " ".join(drawn.itertext())
    assert "retrieval, median (10 to 15)" in said
    assert "100,200" in said
    assert drawn.get("aria-label", "").startswith("How the time of a question")


def test_words_in_a_picture_are_escaped() -> None:
    drawn = picture([Panel("a<b", "ms", [1, 10], {"x & y": [1.0, 2.0]})], 'said "so"')
    assert "a&lt;b" in drawn
    assert "x &amp; y (1 to 2)" in drawn


def test_a_picture_refuses_values_that_have_no_place_on_its_axis() -> None:
    with pytest.raises(ValueError, match="no value above 0"):
        Panel("Time", "ms", [1, 10], {"x": [0.0, 2.0]})
    with pytest.raises(ValueError, match="5 curves"):
        Panel("Time", "ms", [1], {name: [1.0] for name in "abcde"})


def test_the_memory_of_a_server_is_that_of_its_process() -> None:
    found = Server(os.getpid(), 1.0, http.client.HTTPConnection("127.0.0.1")).resident_mib()
    assert 0 < found["own"] < found["resident"]
