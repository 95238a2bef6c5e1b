"""The README's first calls, pasted into a shell beside a running program: what it shows is what comes."""

import re
import subprocess
from pathlib import Path

from tests.running.markdown import README, blocks, section
from tests.running.whole import Running, running

PATIENCE_SECONDS = 120
_END = "--- end of a block ---"


def test_what_the_readme_tells_to_paste_answers_what_it_shows(tmp_path: Path) -> None:
    steps = _steps()
    assert len(steps) > 10
    with running(tmp_path / "data") as program:
        answers = _paste([commands for commands, _ in steps], program, tmp_path)
    assert len(answers) == len(steps), f"it stopped after:\n{answers[-1]}"
    for (commands, shown), answer in zip(steps, answers, strict=True):
        assert _fits(shown, answer), f"{commands}\nshows\n{shown}\nbut the answer is\n{answer}"


def test_a_shortened_answer_fits_only_what_it_stands_for() -> None:
    assert _fits('{"id":"ord_…",\n"total":5}', '{"id":"ord_1","total":5}')
    assert not _fits('{"id":"ord_…","total":5}', '{"id":"ord_1","total":50}')
    assert not _fits("", "surprise")


def _steps() -> list[tuple[str, str]]:
    """What is pasted, and what is shown below it."""
    steps: list[tuple[str, str]] = []
    for block in blocks(section(README, "First calls")):
        if block.language == "sh":
            steps.append((block.text, ""))
        else:
            assert block.language == ""
            commands, shown = steps[-1]
            assert not shown, f"two answers to\n{commands}"
            steps[-1] = (commands, block.text)
    return steps


def _paste(steps: list[str], program: Running, folder: Path) -> list[str]:
    """The answers of one shell to all steps, in order; fewer when one failed."""
    script = "".join(f"{step}\necho '{_END}'\n" for step in steps)
    for shown, real in ((8000, program.port), (12111, program.sandbox_port)):
        assert f"http://127.0.0.1:{shown}" in script
        script = script.replace(f"http://127.0.0.1:{shown}", f"http://127.0.0.1:{real}")
    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split(_END)[:-1]


def _fits(shown: str, answer: str) -> bool:
    """Whether the answer is what is shown, where … stands for anything and spaces for nothing."""
    parts = "".join(shown.split()).split("…")
    pattern = ".*?".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, "".join(answer.split()), re.DOTALL) is not None
