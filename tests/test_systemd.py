"""What a service manager hands over and is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.systemd import BadSocket, handed_over, notify

REPOSITORY = Path(__file__).resolve().parent.parent
_CHILD = """
import json, os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from api.systemd import BadSocket, handed_over
try:
    given = handed_over(os.environ)
    left = [name for name in os.environ if name.startswith("LISTEN")]
    print(json.dumps([given.getsockname()[1], os.get_inheritable(given.fileno()), left]))
except BadSocket as error:
    print(json.dumps(str(error)))
"""


def _in_child(given: socket.socket, count: str = "1") -> object:
    """Return what a process says of the socket that is its descriptor 3."""
    code = f"import os; os.dup2({given.fileno()}, 3, inheritable=True); exec({_CHILD!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], pass_fds=[given.fileno()], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "LISTEN_FDS": count, "LISTEN_FDNAMES": "citespan.socket"}, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_socket_that_was_handed_over_is_taken_and_goes_no_further() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        assert _in_child(given) == [given.getsockname()[1], False, []]


def test_what_is_no_single_tcp_socket_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        assert "ListenStream=127.0.0.1:8000" in str(_in_child(unix))
        assert "2 sockets" in str(_in_child(tcp, "2"))


@pytest.mark.parametrize(
    "environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}]
)
def test_what_is_meant_for_another_process_is_left_alone(environment: dict[str, str]) -> None:
    assert handed_over(environment) is None
    assert environment == {}


def test_a_descriptor_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        code = f"import os; os.dup2({file.fileno()}, 3, inheritable=True); exec({_CHILD!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], pass_fds=[file.fileno()], cwd=REPOSITORY, capture_output=True, text=True,
            env={**os.environ, "LISTEN_FDS": "1"}, check=True,
        )  # fmt: skip
    assert "is no socket" in done.stdout


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told(tmp_path: Path, abstract: bool) -> None:
    name = f"citespan-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        notify("READY=1", {"NOTIFY_SOCKET": "@" + name if abstract else name})
        assert manager.recv(100) == b"READY=1"


def test_a_manager_that_does_not_listen_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notify("READY=1", {})
    notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "none")})
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_bad_sockets_are_errors_that_users_understand() -> None:
    assert BadSocket.code == "bad-socket"
