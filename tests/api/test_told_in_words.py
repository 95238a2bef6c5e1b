"""A refusal says in words what is wrong, where, and what would be right."""

import re
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
import pytest
from msgspec import Meta

from marketplace.api import field_errors
from marketplace.api.problem_entries.fees import FEES
from marketplace.api.problem_entries.oversight import BOOKS, OVERSIGHT
from marketplace.api.problem_entries.papers import PAPERS
from marketplace.api.why_words import WHY_WORDS, words_of
from marketplace.books.errors import FeeFilterRefused
from marketplace.fees.checking import check_rules
from marketplace.fees.schedule import Conditions, FeeRule, MalformedSchedule

_PROGRAM = Path(__file__).parents[2] / "marketplace"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["session", "product"]
    quantity: Annotated[int, Meta(ge=1)] = 1


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    lines: Annotated[list[_Line], Meta(min_length=1)]
    named: dict[str, Literal["a", "b"]] = {}
    sort: Literal["time", "fee"] | None = None


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"{}", "lines", "Required"),
        (b'{"lines":[{}]}', "lines[0].kind", "Required"),
        (b'{"lines":[{"kind":"rent"}]}', "lines[0].kind", "Expected one of product, session"),
        (b'{"lines":[],"color":1}', "lines", "Expected `array` of length >= 1"),
        (
            b'{"lines":[{"kind":"session","colour":1}]}',
            "lines[0].colour",
            "Unknown field; there are kind, quantity",
        ),
        (b'{"lines":[{"kind":"session"}],"sort":"x"}', "sort", "Expected one of fee, time"),
        (b'{"lines":[{"kind":"session"}],"named":{"k":"c"}}', "named[...]", "Expected one of a, b"),
    ],
)
def test_a_field_that_does_not_fit_is_named_with_what_would(
    body: bytes, field: str, message: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(body, type=_Body)
    told = field_errors.of_body(str(refused.value), _Body)
    assert told == {"field": field, "message": message}


def test_every_reason_why_rules_are_refused_has_words() -> None:
    fees = Path(__file__).parents[2] / "marketplace" / "fees"
    source = "".join((fees / name).read_text() for name in ("checking.py", "draft_checks.py"))
    whys = set(re.findall(r'(?:yield |Problem\(|append\(\()[^\n]*, "([a-z_]+)"', source))
    assert {"floor_above_cap", "in_the_past", "no_catch_all", "never_matches"} <= whys
    assert whys <= set(WHY_WORDS)


def test_every_why_that_is_told_in_words_has_some() -> None:
    """Of errors whose problem says `{why_words}`: their words, declared or where they are raised."""
    source = "".join(path.read_text() for path in _PROGRAM.rglob("*.py"))
    whys = {}
    for error, answer in {**FEES, **BOOKS, **OVERSIGHT, **PAPERS}.items():
        if "{why_words}" not in answer.detail or error is MalformedSchedule:
            continue
        declared = get_type_hints(error.__init__)["why"]
        raised = re.findall(rf'\b{error.__name__}\([^\n]*?, "([a-z_]+)"', source)
        whys[error.__name__] = set(get_args(declared) or raised)
    assert {"FeeCreditRefused", "IssuerRefused", "ReconciliationRefused"} <= set(whys)
    assert all(whys.values())
    assert {
        name: told - set(WHY_WORDS) for name, told in whys.items() if told - set(WHY_WORDS)
    } == {}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    first = FeeRule(id="a", basis_points=1_000, floor={"eur": 500}, cap={"eur": 100})
    second = FeeRule(id="a", basis_points=1_000, when=Conditions(currencies=("xxx",)))
    with pytest.raises(MalformedSchedule) as refused:
        check_rules([first, second])
    told = words_of(refused.value)
    assert told.startswith("rules[0].floor.eur: the floor is above the cap; rules[0].when: this")
    assert "rules[1].id: another rule has this id" in told
    assert words_of(FeeFilterRefused("to", "ends_before_it_begins")) == (
        "the range ends before it begins"
    )
    assert words_of(FeeFilterRefused("to", "not_told_yet")) == "not told yet"
