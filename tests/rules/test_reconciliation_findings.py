"""Each way in which two books can differ has its word; equal books have none."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from payments.reconciliation import Books
from payments.reconciliation_findings import (
    Known,
    books_differ,
    dispute_differs,
    intent_differs,
    refund_differs,
)
from payments.reconciliation_gateway import DisputeSeen, IntentSeen, RefundSeen
from payments.records import PaymentRecord

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SUMS = {
    "charged": 6_000,
    "transferred": -6_000,
    "fee_earned": 600,
    "fee_returned": -200,
    "refunded": -2_000,
    "transfer_reversed": 2_000,
    "processing": 204,
}


def books(**changes: int) -> Books:
    return Books(
        payment_id="pay_1", order_id="ord_1", charge_id="ch_1", currency="eur", sums=SUMS | changes
    )


def differ(ours: Books, theirs: dict[str, int], **more: Any) -> list[tuple[str, str]]:
    facts: dict[str, Any] = {"currency": "eur", "refunds_unknown": False} | more
    found = books_differ(ours, theirs, facts["currency"], refunds_unknown=facts["refunds_unknown"])
    return [(one.kind, one.what) for one in found]


def test_equal_books_do_not_differ() -> None:
    assert differ(books(), SUMS) == []
    assert differ(books(), {**SUMS, "currency of nothing": 5}) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "more", "kind"),
    [
        ({"charged": 0}, {}, {}, ("missing_here", "charged")),
        ({}, {"charged": 0}, {}, ("missing_there", "charged")),
        ({}, {"charged": 5_999}, {}, ("amount", "charged")),
        ({}, {"fee_earned": 601}, {}, ("fee", "fee_earned")),
        ({}, {"fee_returned": 0}, {}, ("fee", "fee_returned")),
        ({}, {"processing": 205}, {}, ("fee", "processing")),
        ({}, {"transferred": 0}, {}, ("skipped_transfer", "transferred")),
        ({}, {"transferred": -5_000}, {}, ("amount", "transferred")),
        ({}, {"refunded": -3_000}, {"refunds_unknown": True}, ("dashboard_refund", "refunded")),
        ({}, {"refunded": -3_000}, {}, ("amount", "refunded")),
        ({"refunded": 0}, {}, {}, ("missing_here", "refunded")),
        ({}, {}, {"currency": "usd"}, ("currency", "currency")),
    ],
)
def test_a_sum_that_differs_has_its_word(
    ours: dict[str, int], theirs: dict[str, int], more: Any, kind: tuple[str, str]
) -> None:
    assert differ(books(**ours), SUMS | theirs, **more) == [kind]


def test_a_difference_is_the_same_whatever_its_amount_is_tomorrow() -> None:
    [today] = books_differ(books(), SUMS | {"charged": 1}, "eur", refunds_unknown=False)
    [tomorrow] = books_differ(books(), SUMS | {"charged": 2}, "eur", refunds_unknown=False)
    [other] = books_differ(books(), SUMS | {"refunded": -1}, "eur", refunds_unknown=False)
    assert today.key == tomorrow.key != other.key
    assert (today.ours, today.theirs, tomorrow.theirs) == (6_000, 1, 2)


def payment(**changes: Any) -> PaymentRecord:
    facts: dict[str, Any] = dict.fromkeys(PaymentRecord.__struct_fields__)
    facts |= {"id": "pay_1", "order_id": "ord_1", "currency": "eur", "status": "succeeded"}
    facts |= {"amount": 6_000, "application_fee": 600, "amount_captured": 6_000}
    facts |= {"transfer_id": "tr_1", "application_fee_id": "fee_1"}
    return PaymentRecord(**facts | changes)


SEEN = IntentSeen(
    id="pi_1",
    payment_id="pay_1",
    order_id="ord_1",
    status="succeeded",
    amount=6_000,
    currency="eur",
    application_fee=600,
    amount_received=6_000,
    destination="acct_1",
    charge_id="ch_1",
    captured=True,
    transfer_id="tr_1",
    application_fee_id="fee_1",
    created_at=NOW,
)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"status": "requires_capture"}, [("status", "intent.status")]),
        ({"amount_captured": 0}, [("amount", "intent.received")]),
        ({"amount": 5_000}, [("amount", "intent.amount")]),
        # Another cart is on its way: the one or the other amount is right.
        ({"amount": 5_000, "amount_next": 6_000}, []),
        ({"currency": "usd"}, [("currency", "intent.currency")]),
        ({"transfer_id": None}, [("missing_here", "transfer")]),
        ({"application_fee_id": None}, [("fee", "application_fee")]),
        # After the capture the books tell the fee.
        ({"application_fee": 500}, []),
    ],
)
def test_an_intent_that_differs_has_its_word(
    changes: dict[str, Any], kinds: list[tuple[str, str]]
) -> None:
    found = intent_differs(payment(**changes), SEEN)
    assert [(one.kind, one.what) for one in found] == kinds


def test_the_fee_of_an_open_intent_is_compared() -> None:
    seen = msgspec.structs.replace(
        SEEN, status="requires_payment_method", captured=False, amount_received=0
    )
    ours = payment(status="requires_payment_method", amount_captured=0, application_fee=1)
    assert [(one.kind, one.ours, one.theirs) for one in intent_differs(ours, seen)] == [
        ("fee", 1, 600)
    ]


def test_an_intent_that_no_payment_names_is_missing_here() -> None:
    [found] = intent_differs(None, SEEN)
    assert (found.kind, found.stripe_id, found.theirs) == ("missing_here", "pi_1", "succeeded")


def known(**changes: Any) -> Known:
    facts: dict[str, Any] = {"payment_id": "pay_1", "order_id": "ord_1"}
    return Known(**facts | {"status": "succeeded", "amount": 500} | changes)


REFUND = RefundSeen(
    id="re_1",
    refund_id=None,
    intent_id="pi_1",
    charge_id="ch_1",
    of_hold=False,
    status="succeeded",
    amount=500,
    currency="eur",
    created_at=NOW,
)


def test_a_refund_is_ours_or_of_the_dashboard_or_differs() -> None:
    nothing = known(status=None, amount=None)
    ours = msgspec.structs.replace(REFUND, refund_id="rfd_1")
    assert refund_differs(known(), REFUND) == []
    assert [one.kind for one in refund_differs(nothing, REFUND)] == ["dashboard_refund"]
    assert [one.kind for one in refund_differs(nothing, ours)] == ["missing_here"]
    assert [one.kind for one in refund_differs(known(status="pending"), ours)] == ["status"]
    assert [one.kind for one in refund_differs(known(amount=1), ours)] == ["amount"]


def test_two_refunds_of_one_payment_are_two_differences() -> None:
    nothing = known(status=None, amount=None)
    [one] = refund_differs(nothing, REFUND)
    [other] = refund_differs(nothing, msgspec.structs.replace(REFUND, id="re_2"))
    assert one.key != other.key


def test_a_dispute_is_unknown_or_differs() -> None:
    seen = DisputeSeen(
        id="dp_1",
        charge_id="ch_1",
        intent_id="pi_1",
        status="lost",
        amount=500,
        currency="eur",
        created_at=NOW,
    )
    assert [one.kind for one in dispute_differs(known(status=None, amount=None), seen)] == [
        "missing_here"
    ]
    [found] = dispute_differs(known(status="under_review"), seen)
    assert (found.kind, found.ours, found.theirs) == ("status", "under_review", "lost")
    assert dispute_differs(known(status="lost"), seen) == []
