"""Every error is told as a problem document; what nobody foresaw tells nothing."""

from typing import Any

import pytest
import structlog
from litestar import Litestar

from connect import errors as connect_errors
from marketplace.api.problem_answers import Answer, Entry
from marketplace.api.problem_table import TABLE, answer_to, known_codes
from marketplace.api.problems import problem_of
from marketplace.api.refusals import REFUSALS
from marketplace.books import errors as book_errors
from marketplace.catalog import errors as catalog_errors
from marketplace.fees import errors as fee_errors
from marketplace.messages import errors as message_errors
from marketplace.orders import errors as order_errors
from marketplace.orders import fulfilment_errors
from marketplace.oversight import approval_errors
from marketplace.oversight import errors as oversight_errors
from marketplace.people import errors as people_errors
from marketplace.sellers import errors as seller_errors
from payments import errors as payment_errors
from tests.api.harness import a_person, client_of

# Mistakes of ours or of the operator, which are a 500 on purpose.
OURS = {
    payment_errors.StripeMisconfigured,
    payment_errors.SnapshotContradicts,
    payment_errors.NoTransaction,
    payment_errors.TransactionOpen,
}
MODULES = [
    people_errors,
    order_errors,
    fulfilment_errors,
    message_errors,
    oversight_errors,
    approval_errors,
    book_errors,
    fee_errors,
    catalog_errors,
    seller_errors,
    connect_errors,
    payment_errors,
]


def classes_of(module: Any) -> list[type[Exception]]:
    found = [each for each in vars(module).values() if isinstance(each, type)]
    own = [each for each in found if each.__module__ == module.__name__]
    roots = {each for each in own if each.__base__ is Exception}
    return [each for each in own if each not in roots and issubclass(each, Exception)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_error_an_area_may_raise_is_told(module: Any) -> None:
    silent = [
        kind.__name__
        for kind in classes_of(module)
        if kind not in OURS and not any(base in TABLE for base in kind.__mro__)
    ]
    assert silent == []


def test_our_own_mistakes_are_not_told() -> None:
    assert [kind for kind in OURS if any(base in TABLE for base in kind.__mro__)] == []


def test_a_code_means_one_status() -> None:
    for code, answer in known_codes().items():
        assert code == code.lower()
        if code in REFUSALS:
            assert REFUSALS[code][0] == answer.status


def shown_of(entry: Entry) -> tuple[str, ...]:
    return entry.fields + entry.own_fields if isinstance(entry, Answer) else ()


def test_every_shown_field_exists_on_its_error() -> None:
    for kind, entry in TABLE.items():
        for field in shown_of(entry):
            made = kind.__init__.__code__
            assert field in made.co_varnames + made.co_names, (kind, field)


def test_no_shown_field_takes_the_place_of_a_standard_member() -> None:
    standard = {"type", "title", "status", "detail", "instance", "code", "request_id"}
    shown = [field for entry in TABLE.values() for field in shown_of(entry)]
    assert standard & set(shown) == set()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("declined", 402, "insufficient_funds"),
        ("stolen", 402, "card_declined"),
        ("busy", 503, "payments_busy"),
        ("deadlock", 503, "busy"),
        ("away", 503, "database_unavailable"),
        ("closed", 503, "database_unavailable"),
        ("bug", 500, "internal_error"),
        ("constraint", 500, "internal_error"),
    ],
)
async def test_an_error_becomes_its_document(
    app: Litestar, name: str, status: int, code: str
) -> None:
    person = await a_person(app, "errors@example.com")
    answer = await person.post(f"/practice/errors/{name}")
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status == 503)
    meaning = await client_of(app).get(told["type"])
    assert (meaning.status_code, meaning.json()["code"]) == (200, code)


async def test_a_bug_is_logged_in_full_and_told_in_nothing(app: Litestar) -> None:
    person = await a_person(app, "bugs@example.com")
    with structlog.testing.capture_logs() as lines:
        answer = await person.post("/practice/errors/bug")
    assert set(answer.json()) == {"type", "title", "status", "code", "request_id"}
    [failure] = [line for line in lines if line["event"] == "request failed"]
    assert isinstance(failure["exc_info"], RuntimeError)
    assert failure["alarm"] is True
    assert failure["request_id"] == answer.json()["request_id"]


def test_the_closest_class_tells() -> None:
    known = answer_to(payment_errors.OutcomeUnknown("timeout"))
    assert known is not None
    assert known.code == "payments_unavailable"
    assert problem_of(KeyError("x")).status == 500


async def test_an_unknown_code_means_nothing(app: Litestar) -> None:
    assert (await client_of(app).get("/problems/no_such_code")).status_code == 404
