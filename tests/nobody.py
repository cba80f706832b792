"""Reading without root's rights: tests of permissions hold for root too."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = 65534
# From <linux/prctl.h> and <linux/capability.h>: root's rights to read and write whatever it likes.
_DROP_FROM_BOUND, _OVERRIDE, _READ_SEARCH = 24, 1, 2


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to read everything, for as long as the block runs."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def give_up_root_for_good() -> None:
    """Make root, in every program that this process becomes or starts, bound by the permissions of its own files.

    It stays root, so that a child process may still read the interpreter, wherever that is.
    """
    system = ctypes.CDLL(None, use_errno=True)
    for right in (_OVERRIDE, _READ_SEARCH):
        if system.prctl(_DROP_FROM_BOUND, right, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "root's rights cannot be given up")
