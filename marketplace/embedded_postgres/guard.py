"""The process between us and PostgreSQL: the server lives exactly as long as we do.

Run, never imported: `python -I -S guard.py '{"command": [...], "identity": ..., ...}'`.
Its standard input is a pipe held open by us and nobody else. When the pipe ends, because we
stopped, crashed or were killed with SIGKILL, the guard shuts the server down and removes the
socket folder. If the guard itself is killed, Linux interrupts the server for us
(PR_SET_PDEATHSIG). A pipe, because a parent-death signal alone is tied to the thread that
spawned the child, and does not exist outside Linux.

PostgreSQL refuses to run as uid 0, and as a uid that no user has. The guard can therefore enter
a user namespace in which our own id goes by an `alias`: files stay ours, no user is created and
no mode is changed. `user` is a uid and gid to become before that. See `identity.py`.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

NOT_POSSIBLE = 97
"""Exit status when the identity could not be taken or the program not be reached."""

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4

# Fast shutdown first; a server that hangs is told to quit, then killed.
_PATIENCE_SECONDS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


def main(order: dict[str, Any]) -> int:
    wake_read, wake_write = os.pipe()
    for descriptor in (wake_read, wake_write):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _run(order, guard)
    try:
        return _watch(child, wake_read)
    finally:
        if order.get("remove"):
            shutil.rmtree(order["remove"], ignore_errors=True)


def _watch(child: int, wake_read: int) -> int:
    """Wait for the child's end; begin to stop it when our parent ends or signals us."""
    stopping: list[tuple[signal.Signals, float]] = []
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return abs(os.waitstatus_to_exitcode(status))
        if deadline is not None and time.monotonic() >= deadline and stopping:
            deadline = _next_signal(child, stopping)
        first = _asked_to_stop(wake_read, listen=deadline is None)
        if first is not None:
            stopping = [step for step in _PATIENCE_SECONDS if step[0] in first]
            deadline = _next_signal(child, stopping)


def _next_signal(child: int, steps: list[tuple[signal.Signals, float]]) -> float:
    number, patience_seconds = steps.pop(0)
    os.kill(child, number)
    return time.monotonic() + patience_seconds


def _asked_to_stop(wake_read: int, *, listen: bool) -> tuple[signal.Signals, ...] | None:
    """The signals to work through, or None. Sleeps until something happens."""
    sources = [wake_read, 0] if listen else [wake_read]
    readable, _, _ = select.select(sources, [], [], None if listen else 0.2)
    told = set(os.read(wake_read, 64)) if wake_read in readable else set()
    if 0 in readable:
        # One byte asks for an immediate shutdown, the end of the pipe for an orderly one.
        immediate = os.read(0, 1) != b""
        quick = (signal.SIGQUIT, signal.SIGKILL)
        return quick if immediate else (signal.SIGINT, *quick)
    if listen and told & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
        return (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    return None


def _run(order: dict[str, Any], guard: int) -> NoReturn:
    """In the child: take the identity, tie our life to the guard's, become the program."""
    try:
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.umask(0o077)
        _take_identity(order["user"], order["alias"])
        os.chdir(order["folder"])
        _die_with(guard)
        os.execv(order["command"][0], order["command"])
    except Exception as error:  # noqa: BLE001 - the child must end here, whatever went wrong
        print(f"guard: {error}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(NOT_POSSIBLE)


def _take_identity(user: list[int] | None, alias: int | None) -> None:
    if user:
        uid, gid = user
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if alias:
        _enter_namespace(alias)


def _enter_namespace(alias: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    _call_libc(lambda libc: libc.unshare(_CLONE_NEWUSER))
    # Having changed our uid made /proc/self root's; this gives it back.
    _call_libc(lambda libc: libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))
    for name, text in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (alias, uid)),
        ("gid_map", b"%d %d 1" % (alias, gid)),
    ):
        # No text file: Python would look for its codec where this user may not read.
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, text)
        os.close(file)


def _die_with(guard: int) -> None:
    # After the identity is taken: a change of credentials clears the signal.
    if sys.platform == "linux":
        _call_libc(lambda libc: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0))
    if os.getppid() != guard:
        os._exit(NOT_POSSIBLE)


def _call_libc(call: Callable[[Any], int]) -> None:
    if call(ctypes.CDLL(None, use_errno=True)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
