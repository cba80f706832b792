"""The short form of `python -m benchmarks.soak`: everything is used at once for some seconds, and nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Figures
from benchmarks.soak import _STAND_IN, Log, grown, soak, told


def test_a_server_that_is_used_in_every_way_at_once_fails_nobody(tmp_path: Path) -> None:
    log = soak(6.0, _STAND_IN, tmp_path, look=0.2)
    assert log.errors == []
    done = {what.rpartition(" ")[0] for what in log.done}
    assert {"question", "upload", "job", "citespan sync"} <= done
    assert all(log.noted[name] for name in ("memory MiB", "file handles", "threads"))


@pytest.mark.parametrize(("each_second", "flat"), [(0.0, True), (0.01, True), (1.0, False), (-1.0, True)])
def test_what_grows_between_the_first_and_the_last_third_is_not_flat(each_second: float, flat: bool) -> None:
    values = [(float(at), 400.0 + each_second * at) for at in range(300)]
    found = grown(values, 300.0, 0.05, 10.0)
    assert found.flat is flat
    assert found.allowed == pytest.approx(0.05 * found.first, abs=0.1)


def test_what_happens_while_it_warms_up_does_not_count() -> None:
    values = [(float(at), 5_000.0 if at < 30 else 400.0) for at in range(300)]
    assert grown(values, 300.0, 0.0, 0.0).first == 400.0
    with pytest.raises(ValueError, match="too short"):
        grown(values[:100], 300.0, 0.0, 0.0)


def test_an_error_or_a_leak_is_told(tmp_path: Path) -> None:
    log = Log()
    for at in range(180):
        for name in ("memory MiB", "threads", "question median ms"):
            log.noted.setdefault(name, []).append((float(at), 100.0))
        log.noted.setdefault("file handles", []).append((float(at), 20.0 + at))
    figures = Figures(quiet=True)
    assert told(log, 180.0, figures) is False
    assert figures.found["file handles"].startswith("NOT flat: first third 64.5")
    assert figures.found["memory MiB"].startswith("flat")
    assert figures.found["file handles by minute"] == [49.5, 109.5, 169.5]
    log.noted["file handles"] = log.noted["threads"]
    assert told(log, 180.0, Figures(quiet=True)) is True
    log.errors.append("question: 500")
    assert told(log, 180.0, figures) is False
    figures.save(tmp_path / "figures.json")
    assert '"errors": [\n    "question: 500"' in (tmp_path / "figures.json").read_text(encoding="utf-8")
