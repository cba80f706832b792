"""Loading in a child process: what a file does there, it does to nobody else."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from index.errors import DocumentError, EmptyDocument, NoDocument, UnreadableDocument, UnsupportedFormat
from index.load import Limits, load_all
from index.load.files import MIB
from index.load.isolate import SafeLoader

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = b"<html lang='en'><title>Boats</title><body><p>The boats are in.</p></body></html>"
# Takes the main-text extraction seconds.
SLOW = b"<p>The boats <a>are</a> in.</p>" * 9_000
# A child that reads its first two messages (limits and a file), and then does what a hostile file might make it do.
READS = """
import os, struct, sys, time
for _ in range(2):
    sizes = struct.unpack(">QQ", sys.stdin.buffer.read(16))
    sys.stdin.buffer.read(sum(sizes))
"""


def child(does: str) -> list[str]:
    return [sys.executable, "-c", READS + does]


def children(parent: int) -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, ppid = status.read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.add(int(status.parent.name))
    return found


def test_a_child_gives_what_loading_here_gives() -> None:
    lines = b'{"id": "x", "title": "T", "text": "Caf\xc3\xa9.", "tags": ["a", "b"]}\nnonsense\n'
    slides = (REPOSITORY / "tests/files/slides-libreoffice.pptx").read_bytes()
    with SafeLoader() as loader:
        for data, name in [(PAGE, "a.html"), (lines, "a.jsonl"), (slides, "a.pptx"), (b"Boats.", "a.txt")]:
            here, there = load_all(data, name), loader.load(data, name)
            assert there.documents == here.documents
            assert [(type(error), str(error)) for error in there.failures] == [
                (type(error), str(error)) for error in here.failures
            ]
        [document] = loader.load(b"<p>caf\xe9", "a.html", encoding="latin-1", sidecar=b"title: Drinks").documents
        assert (document.text, document.metadata.title) == ("café", "Drinks")


def test_errors_come_back_as_they_are() -> None:
    with SafeLoader() as loader:
        for data, name, kind in [
            (b"", "a.html", EmptyDocument),
            (b"PK", "a.zip", UnreadableDocument),
            (b"<svg/>", "a.xml", NoDocument),
            (b"text", "a.xyz", UnsupportedFormat),
        ]:
            with pytest.raises(DocumentError) as here:
                load_all(data, name)
            with pytest.raises(DocumentError) as there:
                loader.load(data, name)
            assert type(there.value) is type(here.value) is kind
            assert str(there.value) == str(here.value)
        with pytest.raises(UnreadableDocument, match=r"a\.html\.meta\.yaml: not sound YAML"):
            loader.load(PAGE, "a.html", sidecar=b"[")
        with pytest.raises(ValueError, match="unknown encoding: klingon"):
            loader.load(PAGE, "a.html", encoding="klingon")


def test_text_and_markdown_need_no_child() -> None:
    before = children(os.getpid())
    with SafeLoader(command=["/no/such/program"]) as loader:
        assert loader.load(b"Boats.", "a.txt").documents[0].text == "Boats."
        assert loader.load(b"# Boats", "a.md").documents[0].text == "Boats"
        assert children(os.getpid()) == before


def test_one_child_serves_many_files_and_ends_with_its_loader() -> None:
    before = children(os.getpid())
    with SafeLoader() as loader:
        loader.load(PAGE, "a.html")
        [one] = children(os.getpid()) - before
        loader.load(PAGE, "b.html")
        with pytest.raises(EmptyDocument):
            loader.load(b"<p>", "c.html")
        assert children(os.getpid()) - before == {one}
    assert children(os.getpid()) == before


def test_a_file_that_takes_too_long_is_given_up_as_often_as_it_comes() -> None:
    with SafeLoader(Limits(seconds=0.5)) as loader:
        with pytest.raises(UnreadableDocument, match=r"slow\.html: took longer than 0\.5 seconds to load"):
            loader.load(SLOW, "slow.html")
        with pytest.raises(UnreadableDocument, match="took longer"):
            loader.load(SLOW, "slow.html")


def test_a_file_that_swells_is_given_up_and_the_next_one_is_loaded() -> None:
    lists = b'{"text": [' + b"[]," * 6_000_000 + b"[]]}"
    with SafeLoader(Limits(memory=256 * MIB)) as loader:
        with pytest.raises(UnreadableDocument, match=r"a\.json: needs more than 256 MiB of memory to load; split it"):
            loader.load(lists, "a.json")
        assert loader.load(b'{"text": "Boats."}', "b.json").documents[0].text == "Boats."


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("os._exit(3)", r"crashed the process that loaded it \(exit code 3\)"),
        ("os.abort()", r"crashed the process that loaded it \(signal 6\)"),
        ("os.write(1, b'x' * 7); os._exit(0)", r"crashed the process that loaded it \(exit code 0\)"),
        ("os.write(1, b'x' * 16); os._exit(0)", "crashed the process"),
        ("os.write(1, struct.pack('>QQ', 2, 0) + b'{}'); time.sleep(60)", "crashed the process"),
        ("time.sleep(60)", "took longer than 2 seconds"),
    ],
)
def test_whatever_a_child_does_is_an_error_of_that_file(does: str, reason: str) -> None:
    with SafeLoader(Limits(seconds=2), command=child(does)) as loader:
        for _ in range(2):
            with pytest.raises(UnreadableDocument, match=reason):
                loader.load(PAGE, "a.html")


def test_a_child_that_was_killed_in_between_is_replaced() -> None:
    before = children(os.getpid())
    with SafeLoader() as loader:
        loader.load(PAGE, "a.html")
        [one] = children(os.getpid()) - before
        os.kill(one, signal.SIGKILL)
        time.sleep(0.2)
        assert loader.load(PAGE, "a.html").documents[0].text == "The boats are in."


def test_threads_may_share_a_loader() -> None:
    found: dict[int, str] = {}
    with SafeLoader() as loader:

        def load(number: int) -> None:
            found[number] = loader.load(b'{"text": "Boat %d."}' % number, "a.json").documents[0].text

        threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {number: f"Boat {number}." for number in range(8)}


PARENT = """
import sys, time
from index.load import Limits
from index.load.isolate import SafeLoader
loader = SafeLoader(Limits(seconds=float(sys.argv[1])))
loader.load(b"<p>Boats.", "a.html")
print("loaded", flush=True)
if sys.argv[2] == "busy":
    loader.load(b"<p>The boats <a>are</a> in.</p>" * 9_000, "slow.html")
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_child_ends_when_its_parent_is_killed(state: str) -> None:
    command = [sys.executable, "-c", PARENT, "20", state]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "loaded\n"
        [orphan] = children(parent.pid)
        parent.kill()
    for _ in range(300):
        if not _runs(orphan):
            return
        time.sleep(0.1)
    pytest.fail("the child still runs")


def test_an_interrupt_reaches_the_parent_alone() -> None:
    command = [sys.executable, "-c", PARENT, "60", "busy"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == "loaded\n"
        [child_of_it] = children(parent.pid)
        time.sleep(0.3)
        os.killpg(parent.pid, signal.SIGINT)
        complaint = parent.stderr.read()
    assert complaint.count("Traceback") == 1
    assert complaint.endswith("KeyboardInterrupt\n")
    assert not _runs(child_of_it)


def _runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
