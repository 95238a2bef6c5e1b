"""Every status meets every step: the table decides, and nothing else does."""

import itertools

import pytest

from marketplace.orders.errors import OrderStepRefused
from marketplace.orders.order_states import (
    ENDED,
    FIRST_STATUS,
    STATUSES,
    STEPS,
    TRANSITIONS,
    Status,
    Step,
    after,
    allows,
)

EVERY_PAIR = list(itertools.product(STATUSES, STEPS))
REPAIRS = {"authorized_late", "captured_late"}


@pytest.mark.parametrize(("status", "step"), EVERY_PAIR)
def test_a_step_happens_as_the_table_says_or_raises(status: Status, step: Step) -> None:
    if (status, step) in TRANSITIONS:
        assert after(status, step) == TRANSITIONS[status, step]
        assert allows(status, step)
        return
    assert not allows(status, step)
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


def test_paid_is_never_left_and_only_a_repair_leaves_an_ended_order() -> None:
    assert {target for (status, _), target in TRANSITIONS.items() if status == "paid"} == {"paid"}
    assert {step for status, step in TRANSITIONS if status in ENDED} == REPAIRS


def test_money_that_came_late_is_never_refused() -> None:
    for status in STATUSES:
        if status != "paid":
            assert allows(status, "captured_late" if status in ENDED else "captured")
