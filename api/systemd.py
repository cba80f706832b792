"""What a service manager and a server tell each other: the socket that it hands over, and how the server is doing.

The protocols are systemd's `sd_listen_fds` and `sd_notify`; others speak them too. Without such a manager there is no
variable of theirs, and nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

from index.errors import CitespanError

_FIRST_DESCRIPTOR = 3
_log = logging.getLogger(__name__)


class BadSocket(CitespanError):
    """What was handed over cannot be listened on."""

    code = "bad-socket"


def handed_over(environment: MutableMapping[str, str]) -> socket.socket | None:
    """Return the listening socket that was handed to this process, None if none was.

    The variables that say so are taken out of the environment: they are not meant for this process's children.

    :raises BadSocket: if it is not one TCP socket.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal() or count == "0":
        return None
    if count != "1":
        raise BadSocket(f"{count} sockets were handed over, one is needed; name one address in the socket unit")
    try:
        given = socket.socket(fileno=_FIRST_DESCRIPTOR)
    except OSError as error:
        raise BadSocket(f"what was handed over as descriptor {_FIRST_DESCRIPTOR} is no socket ({error})") from error
    if given.family not in (socket.AF_INET, socket.AF_INET6) or given.type != socket.SOCK_STREAM:
        given.close()
        raise BadSocket("the socket handed over is not one of TCP; write ListenStream=127.0.0.1:8000 in its unit")
    # Inherited it would be held open by whatever this process starts.
    given.set_inheritable(False)
    return given


def notify(state: str, environment: MutableMapping[str, str]) -> None:
    """Tell the service manager that waits for it: `READY=1`, `STOPPING=1`."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A name that begins with @ is one without a file.
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), place)
        except OSError as error:
            # It would end the service by its own time limit; that is its way to tell.
            _log.warning("the service manager could not be told %s: %s", state, error)
