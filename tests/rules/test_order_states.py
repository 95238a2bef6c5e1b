"""Every status meets every step: the table decides, and nothing else does."""

import itertools

import pytest

from marketplace.orders.errors import OrderStepRefused
from marketplace.orders.order_states import (
    ENDED,
    FIRST_STATUS,
    PAID_FOR,
    STATUSES,
    STEPS,
    TRANSITIONS,
    Status,
    Step,
    after,
)

EVERY_PAIR = list(itertools.product(STATUSES, STEPS))
REPAIRS = {"authorized_late", "captured_late"}


@pytest.mark.parametrize(("status", "step"), EVERY_PAIR)
def test_a_step_happens_as_the_table_says_or_raises(status: Status, step: Step) -> None:
    if (status, step) in TRANSITIONS:
        assert after(status, step) == TRANSITIONS[status, step]
        return
    with pytest.raises(OrderStepRefused) as refusal:
        after(status, step)
    assert (refusal.value.order_status, refusal.value.step) == (status, step)


def test_the_table_knows_no_other_words() -> None:
    assert {status for status, _ in TRANSITIONS} | set(TRANSITIONS.values()) == set(STATUSES)
    assert {step for _, step in TRANSITIONS} == set(STEPS)


def test_every_status_can_be_reached_by_ordinary_steps() -> None:
    reached, frontier = {FIRST_STATUS}, [FIRST_STATUS]
    while frontier:
        here = frontier.pop()
        for (status, step), target in TRANSITIONS.items():
            if status == here and step not in REPAIRS and target not in reached:
                reached.add(target)
                frontier.append(target)
    assert reached == set(STATUSES)


def test_what_was_paid_for_never_goes_back_to_unpaid() -> None:
    targets = {target for (status, _), target in TRANSITIONS.items() if status in PAID_FOR}
    assert targets == {*PAID_FOR, "canceled"}


def test_only_a_repair_moves_an_ended_order() -> None:
    moves = {step for (status, step), to in TRANSITIONS.items() if status in ENDED and to != status}
    assert moves == {*REPAIRS, "checkout_begun"}


def test_an_expired_order_has_no_money_to_speak_of() -> None:
    steps = {step for status, step in TRANSITIONS if status == "expired"}
    assert steps == {*REPAIRS, "checkout_begun", "fraud_warned"}


def test_nothing_is_shipped_that_was_not_captured() -> None:
    assert [status for status, step in TRANSITIONS if step == "shipped"] == ["paid"]


def test_money_that_came_late_is_never_refused() -> None:
    for status in STATUSES:
        if status not in PAID_FOR:
            assert (status, "captured_late" if status in ENDED else "captured") in TRANSITIONS
