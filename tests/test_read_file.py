from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from index.errors import BrokenLink, DocumentChanged, DocumentTooLarge, EmptyDocument, UnreadableDocument
from index.load.files import MIB, read_file
from tests.nobody import as_nobody


def test_reads_the_bytes_of_a_file_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(b"one\r\ntwo\x00")
    assert read_file(tmp_path / "sub" / "a.txt", tmp_path) == b"one\r\ntwo\x00"


def test_follows_a_link_inside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.txt").write_text("text")
    (tmp_path / "folder").symlink_to("deep", target_is_directory=True)
    (tmp_path / "b.txt").symlink_to(Path("folder") / "a.txt")
    assert read_file(tmp_path / "b.txt", tmp_path) == b"text"


def test_reads_below_a_root_that_is_itself_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("text")
    (tmp_path / "root").symlink_to("real", target_is_directory=True)
    assert read_file(tmp_path / "root" / "a.txt", tmp_path / "root") == b"text"


def test_never_follows_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to("..", target_is_directory=True)
    for path, name in [
        (root / "sub" / "file.txt", "sub/file.txt"),
        (root / "up" / "secret.txt", "up/secret.txt"),
        (root / ".." / "secret.txt", "../secret.txt"),
    ]:
        with pytest.raises(BrokenLink, match="leads out of the folder") as caught:
            read_file(path, root)
        assert caught.value.name == name


def test_a_folder_whose_name_only_begins_like_the_root_is_outside(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "a.txt").write_text("text")
    (tmp_path / "root" / "a.txt").symlink_to(tmp_path / "root2" / "a.txt")
    with pytest.raises(BrokenLink):
        read_file(tmp_path / "root" / "a.txt", tmp_path / "root")


def test_says_that_a_link_leads_nowhere_or_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "dangling.txt").symlink_to("gone.txt")
    (tmp_path / "one.txt").symlink_to("two.txt")
    (tmp_path / "two.txt").symlink_to("one.txt")
    with pytest.raises(BrokenLink, match=r"dangling\.txt: a symbolic link that leads nowhere"):
        read_file(tmp_path / "dangling.txt", tmp_path)
    with pytest.raises(BrokenLink, match=r"one\.txt: a symbolic link that leads in a circle"):
        read_file(tmp_path / "one.txt", tmp_path)


def test_a_missing_file_is_unreadable_but_no_broken_link(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match=r"gone\.txt: no such file") as caught:
        read_file(tmp_path / "gone.txt", tmp_path)
    assert not isinstance(caught.value, BrokenLink)


def test_a_path_that_is_not_below_the_root_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="subpath"):
        read_file(Path("elsewhere/a.txt"), tmp_path)


def test_does_not_wait_at_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnreadableDocument, match="a named pipe, not a regular file"):
        read_file(tmp_path / "pipe.txt", tmp_path)


def test_refuses_folders_sockets_and_devices(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(UnreadableDocument, match="a folder, not a regular file"):
        read_file(tmp_path / "folder.txt", tmp_path)
    with pytest.raises(UnreadableDocument, match="a device, not a regular file"):
        read_file(Path("/dev/null"), Path("/dev"))
    # A socket's path may have only about 100 characters.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{short}/s.txt")
        with pytest.raises(UnreadableDocument, match="a socket, not a regular file"):
            read_file(Path(short) / "s.txt", Path(short))


def test_says_how_to_mend_a_file_that_may_not_be_read() -> None:
    # Not below tmp_path: its folders are closed to others, and the file is to be what is not permitted.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "private.txt").write_text("text")
        (root / "private.txt").chmod(0)
        with as_nobody(), pytest.raises(UnreadableDocument, match=r"private\.txt: permission denied; let the user"):
            read_file(root / "private.txt", root)


def test_refuses_a_file_over_the_limit_and_takes_one_at_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * (2 * MIB))
    assert len(read_file(tmp_path / "a.txt", tmp_path, limit=2 * MIB)) == 2 * MIB
    with pytest.raises(DocumentTooLarge, match=r"a\.txt: 2\.0 MiB, over the limit of 1 MiB; split the file or raise"):
        read_file(tmp_path / "a.txt", tmp_path, limit=MIB)


def test_an_empty_file_is_an_empty_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(EmptyDocument, match="0 bytes"):
        read_file(tmp_path / "a.txt", tmp_path)


def test_a_file_that_changed_once_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    pending = [b"new and longer"]

    def change() -> None:
        if pending:
            path.write_bytes(pending.pop())

    assert read_file(path, tmp_path, after_read=change) == b"new and longer"


def test_a_file_that_keeps_changing_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x")

    def change() -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(DocumentChanged, match=r"a\.txt: it changed while it was read, twice"):
        read_file(path, tmp_path, after_read=change)
    assert path.stat().st_size == 3


def test_a_change_of_the_same_length_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x")

    def touch() -> None:
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))

    with pytest.raises(DocumentChanged):
        read_file(path, tmp_path, after_read=touch)


def test_a_name_that_is_not_utf8_is_still_printable(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.touch()
    with pytest.raises(EmptyDocument) as caught:
        read_file(path, tmp_path)
    assert caught.value.name == "caf\ufffd.txt"
