"""How a cart of several sellers stands: every combination of two orders, and what each lets the buyer do."""

from itertools import product

import pytest

from marketplace.orders.group_states import Standing, next_of, state_of
from marketplace.orders.order_states import STATUSES, Status


def standing(
    status: Status, *, frozen: bool = False, payment_status: str | None = None
) -> Standing:
    return Standing(status=status, frozen=frozen, payment_status=payment_status)


PAID = {"authorized", "paid", "shipped", "completed"}


@pytest.mark.parametrize(("one", "other"), list(product(STATUSES, STATUSES)))
def test_paid_money_is_never_hidden(one: Status, other: Status) -> None:
    orders = [standing(one), standing(other)]
    paid = sum(each.status in PAID for each in orders)
    for abandoned in (False, True):
        state = state_of(orders, abandoned=abandoned)
        assert (state == "paid") == (paid == 2)
        assert (state == "partly_paid") == (paid == 1)
        if paid == 0:
            ended = {one, other} <= {"canceled", "expired"}
            assert state == ("abandoned" if abandoned else "ended" if ended else "open")


@pytest.mark.parametrize(
    ("order", "what"),
    [
        (standing("checkout"), "pay"),
        (standing("checkout", payment_status="requires_payment_method"), "pay"),
        (standing("checkout", frozen=True, payment_status="requires_payment_method"), "confirm"),
        (standing("checkout", frozen=True, payment_status="requires_action"), "authenticate"),
        (standing("checkout", frozen=True, payment_status="processing"), "wait"),
        (standing("expired", payment_status="canceled"), "begin_anew"),
        (standing("authorized", frozen=True, payment_status="requires_capture"), "nothing"),
        (standing("canceled"), "nothing"),
    ],
)
def test_what_the_buyer_can_do_about_one_order(order: Standing, what: str) -> None:
    assert next_of(order) == what


@pytest.mark.parametrize("payment_status", ["requires_payment_method", "requires_action"])
def test_a_group_is_paying_while_one_of_it_is(payment_status: str) -> None:
    paying = standing("checkout", frozen=True, payment_status=payment_status)
    assert state_of([standing("checkout"), paying], abandoned=False) == "paying"
