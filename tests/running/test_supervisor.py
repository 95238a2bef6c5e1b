"""Several processes as one: none is missed when it ends, none outlives us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketplace.supervisor import STOP_SECONDS, ChildEnded, Finished, Supervisor

# Says who it is in a file, then stays.
STAY = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAY}"
PARENT = """
import os, sys
from marketplace.supervisor import Supervisor
child = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
with Supervisor() as supervisor:
    supervisor.start("child", [sys.executable, "-c", child], dict(os.environ))
    supervisor.watch()
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def env() -> dict[str, str]:
    return dict(os.environ)


def process_told_in(file: Path) -> int:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "the process did not start"
        time.sleep(0.01)
    return int(file.read_text())


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_child_that_ends_is_named_and_the_others_are_stopped(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        supervisor.start("stays", python(STAY, tmp_path / "stays"), env())
        stays = process_told_in(tmp_path / "stays")
        started = time.monotonic()
        supervisor.start("fails", python("raise SystemExit(3)"), env())
        with pytest.raises(ChildEnded) as ended:
            supervisor.watch()
    assert (ended.value.name, ended.value.exit_code) == ("fails", 3)
    assert is_gone(stays)
    assert time.monotonic() - started < STOP_SECONDS, "it had to be killed"


def test_a_child_killed_by_a_signal_is_told_so() -> None:
    with Supervisor() as supervisor:
        supervisor.start("killed", python("import os; os.kill(os.getpid(), 9)"), env())
        with pytest.raises(ChildEnded, match="`killed` ended by signal 9"):
            supervisor.watch()


def test_a_child_that_works_and_ends_answers_its_exit_code() -> None:
    with Supervisor() as supervisor:
        assert supervisor.run("works", python("print('done')"), env()) == Finished(0, "done\n")
        assert supervisor.run("fails", python("raise SystemExit(5)"), env()) == Finished(5, "")


def test_what_a_child_says_is_kept_in_its_log_and_its_end_is_told(tmp_path: Path) -> None:
    says = "import sys; print(*range(100), sep='\\n', flush=True); sys.exit('no more')"
    for _ in range(2):  # the log of an earlier run makes room
        with Supervisor(logs=tmp_path / "logs") as supervisor:
            supervisor.start("says", python(says), env())
            with pytest.raises(ChildEnded) as ended:
                supervisor.watch()
    assert ended.value.log == tmp_path / "logs" / "says.log"
    assert ended.value.last_lines(2) == ["99", "no more"]
    assert len(ended.value.last_lines(1000)) == 101
    assert ended.value.log.stat().st_mode & 0o777 == 0o600


def test_work_is_given_up_when_a_child_that_should_stay_ends(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        supervisor.start("fails", python("raise SystemExit(1)"), env())
        with pytest.raises(ChildEnded, match="`fails`"):
            supervisor.run("works for long", python(STAY, tmp_path / "works"), env())


def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    with Supervisor(stop_seconds=0.3) as supervisor:
        supervisor.start("deaf", python(DEAF, tmp_path / "deaf"), env())
        deaf = process_told_in(tmp_path / "deaf")
    assert is_gone(deaf)


def test_children_learn_that_we_were_killed() -> None:
    with subprocess.Popen(python(PARENT), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        # The child inherited the pipe: its end is the child's end.
        assert parent.stdout.read() == ""
    assert child != parent.pid
