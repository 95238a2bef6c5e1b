"""The parts of our documents that the code knows better, written from it.

    python -m tests.running.documents

A part stands between `<!-- its name: written ... -->` and `<!-- end -->`; a test holds each to the code.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from marketplace.api.problem_table import known_codes
from marketplace.api.refusals import REFUSALS
from marketplace.cli.outcomes import EXIT_CODES
from marketplace.invariants.check import INVARIANTS
from marketplace.orders.order_states import FIRST_STATUS, FIRST_STEP, TRANSITIONS
from marketplace.people.scopes import SCOPES
from payments.declines import REASONS, advice_on
from tests.running.markdown import README, ROOT

API = ROOT / "docs" / "api.md"
OPERATING = ROOT / "docs" / "operating.md"

_PART = re.compile(
    r"(?P<begin><!-- (?P<name>[a-z ]+): written by `python -m tests\.running\.documents` -->\n)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def as_code_has_it(document: Path) -> str:
    """The document's text with every part written anew. Raises KeyError for an unknown part."""
    return _PART.sub(
        lambda found: f"{found['begin']}\n{_PARTS[found['name']]()}\n{found['end']}",
        document.read_text(encoding="utf-8"),
    )


def parts_of(document: Path) -> list[str]:
    """The names of the parts that are written from the code."""
    return [found["name"] for found in _PART.finditer(document.read_text(encoding="utf-8"))]


def _table(heading: str, rows: Iterable[Iterable[object]]) -> str:
    columns = heading.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(str(cell).strip() for cell in line)} |\n" for line in lines)


def _exit_codes() -> str:
    return _table("exit code | meaning", EXIT_CODES.items())


def _order_states() -> str:
    moves = "".join(
        f"    {before} --> {after}: {step}\n"
        for (before, step), after in TRANSITIONS.items()
        if before != after
    )
    first = f"    [*] --> {FIRST_STATUS}: {FIRST_STEP}\n"
    return f"```mermaid\nstateDiagram-v2\n{first}{moves}```\n"


def _problem_codes() -> str:
    known = {code: (int(status), title) for code, (status, title) in REFUSALS.items()}
    for code, answer in known_codes().items():
        if code not in REASONS or code == "seller_unavailable":
            known.setdefault(code, (answer.status, answer.title))
    rows = [(status, f"`{code}`", title) for code, (status, title) in known.items()]
    return _table("status | code | title", sorted(rows))


def _declines() -> str:
    advice = [advice_on(reason) for reason in REASONS]
    return _table(
        "reason | what the buyer is told | same card again",
        [(f"`{each.reason}`", each.text, "yes" if each.same_card else "no") for each in advice],
    )


def _scopes() -> str:
    return _table("scope | allows", [(f"`{scope}`", said) for scope, said in SCOPES.items()])


def _invariants() -> str:
    return _table(
        "code | must always be true", [(f"`{rule.code}`", rule.name) for rule in INVARIANTS]
    )


_PARTS: dict[str, Callable[[], str]] = {
    "exit codes": _exit_codes,
    "order states": _order_states,
    "problem codes": _problem_codes,
    "declines": _declines,
    "scopes": _scopes,
    "invariants": _invariants,
}


if __name__ == "__main__":
    for each in (README, API, OPERATING):
        each.write_text(as_code_has_it(each), encoding="utf-8")
