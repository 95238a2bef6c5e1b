"""Every way Stripe can fail to answer, at each of the four things asked of it with money in them.

Whoever asked is told clearly, may ask again, and ends with the one thing they wanted; and if they never
ask again, the sweep finishes it. A PaymentIntent, a capture, a cancellation and a refund: one each.
"""

import asyncio

import httpx
import pytest

from payments.database import value
from payments.ids import new_id
from tests.faults.scenes import ACTS, Act
from tests.stories.town import Person, Town

FAULTS = [
    "lost_before",
    "lost_after",
    "error_500",
    "error_500_after",
    "in_use",
    "rate_limit",
    "lock_timeout",
    "garbage",
]
LONGEST_SECONDS = 300
"""A fault that Stripe met once is made good within this, by whoever asks again or by the sweep."""


@pytest.fixture(params=list(ACTS))
def act(request: pytest.FixtureRequest) -> Act:
    return ACTS[request.param]


def told_to_wait(answer: httpx.Response) -> int:
    """Assert a clear 503 and answer after how many seconds to ask again."""
    problem = answer.json()
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] in ("payments_unavailable", "payments_busy"), problem
    assert problem["request_id"].startswith("req_")
    return int(answer.headers["retry-after"])


@pytest.mark.parametrize("fault", FAULTS)
async def test_asked_again_it_is_done_once(
    town: Town, coach: Person, buyer: Person, act: Act, fault: str
) -> None:
    scene = await act.set_up(town, coach, buyer)
    await town.fault(fault=fault, method="POST", path=act.stripe_path)
    waited = told_to_wait(await scene.ask())
    while True:
        answer = await scene.ask()
        if answer.status_code != 503:
            break
        pause = told_to_wait(answer)
        waited += pause
        assert waited < LONGEST_SECONDS
        town.clock.move(seconds=pause)
        town.sandbox.sandbox.advance(pause)
    assert answer.status_code in (200, 201), answer.text
    await town.settle()
    await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


@pytest.mark.parametrize("fault", FAULTS)
async def test_never_asked_again_the_sweep_finishes_it(
    town: Town, coach: Person, buyer: Person, act: Act, fault: str
) -> None:
    scene = await act.set_up(town, coach, buyer)
    await town.fault(fault=fault, method="POST", path=act.stripe_path)
    told_to_wait(await scene.ask())
    for _ in range(10):
        await town.passes(seconds=LONGEST_SECONDS / 10)
    if act.what == "checkout" and fault == "error_500":
        # Nobody is known to be waiting at a till: the stock is free again until somebody asks.
        assert await value("SELECT stock_reserved FROM listings WHERE id = $1", scene.listing) == 0
        assert (await scene.ask()).status_code == 200
    await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


async def test_asked_again_while_stripe_is_slow_it_is_sent_once(
    town: Town, coach: Person, buyer: Person, act: Act
) -> None:
    scene = await act.set_up(town, coach, buyer)
    await town.fault(fault="slow", seconds=0.6, method="POST", path=act.stripe_path)
    before = len(await town.asked("POST", "/v1/"))
    first = asyncio.create_task(scene.ask())
    await asyncio.sleep(0.2)
    others = await asyncio.gather(*[scene.ask() for _ in range(4)])
    answers = [await first, *others]
    # With one and the same Idempotency-Key the others are told that it is in progress.
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "request_in_progress"
            assert int(answer.headers["retry-after"]) > 0
    assert len(await town.asked("POST", "/v1/")) == before + 1
    await town.settle()
    await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


async def test_other_keys_while_stripe_is_slow_join_what_is_under_way(
    town: Town, coach: Person, buyer: Person
) -> None:
    for name in ("checkout", "capture", "cancellation"):
        act = ACTS[name]
        scene = await act.set_up(town, coach, buyer)
        await town.fault(fault="slow", seconds=0.6, method="POST", path=act.stripe_path)
        before = len(await town.asked("POST", "/v1/"))
        answers = await asyncio.gather(*[scene.ask(new_id("k")) for _ in range(5)])
        assert [answer.status_code for answer in answers] == [200] * 5, name
        assert len(await town.asked("POST", "/v1/")) == before + 1
        await town.settle()
        await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


async def test_slower_than_anyone_waits_it_is_still_sent_once(
    town: Town, coach: Person, buyer: Person
) -> None:
    act = ACTS["capture"]
    scene = await act.set_up(town, coach, buyer)
    await town.fault(fault="slow", seconds=5, method="POST", path=act.stripe_path)
    first, second = await asyncio.gather(scene.ask(), scene.ask(new_id("k")))
    answers = sorted((first, second), key=lambda answer: answer.status_code)
    assert answers[0].status_code == 200
    told_to_wait(answers[1])
    await town.settle()
    await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


@pytest.mark.parametrize("fault", ["lost_before", "error_500", "rate_limit", "garbage"])
async def test_a_refund_whose_outcome_cannot_be_read_is_still_one_refund(
    town: Town, coach: Person, buyer: Person, fault: str
) -> None:
    """The refund is made, but reading the payment afterwards fails."""
    act = ACTS["refund"]
    scene = await act.set_up(town, coach, buyer)
    # Twice, for a read on a connection that breaks is asked once more by the transport itself.
    await town.fault(fault=fault, method="GET", path="/v1/payment_intents/*", times=2)
    told_to_wait(await scene.ask())
    await town.stripe("DELETE", "/_sandbox/faults")
    assert (await scene.ask()).status_code == 201
    await town.settle()
    await act.require_done_once(town.sandbox.sandbox.world, scene.order_id)


@pytest.mark.parametrize("fault", ["lost_before", "error_500", "rate_limit", "garbage"])
async def test_a_seller_vouched_for_a_moment_ago_is_paid_while_accounts_cannot_be_read(
    town: Town, coach: Person, buyer: Person, fault: str
) -> None:
    """The snapshot is older than a minute, younger than fifteen: money may move on it."""
    scene = await ACTS["checkout"].set_up(town, coach, buyer)
    town.clock.move(minutes=2)
    town.sandbox.sandbox.advance(120)
    await town.fault(fault=fault, method="GET", path="/v2/core/accounts/*")
    assert (await scene.ask()).status_code == 200
    await town.stripe("DELETE", "/_sandbox/faults")


async def test_accounts_unreadable_for_a_quarter_of_an_hour_stop_the_money(
    town: Town, coach: Person, buyer: Person
) -> None:
    scene = await ACTS["checkout"].set_up(town, coach, buyer)
    town.clock.move(minutes=16)
    town.sandbox.sandbox.advance(16 * 60)
    await town.fault(fault="lost_before", method="GET", path="/v2/core/accounts/*", times=50)
    before = len(await town.asked("POST", "/v1/payment_intents"))
    answer = await scene.ask()
    assert (answer.status_code, answer.json()["code"]) == (409, "seller_not_payable")
    assert len(await town.asked("POST", "/v1/payment_intents")) == before
    await town.stripe("DELETE", "/_sandbox/faults")
    assert (await scene.ask()).status_code == 200


async def test_stripe_s_webhooks_cannot_be_worked_on_while_it_does_not_answer_reads(
    town: Town, coach: Person, buyer: Person
) -> None:
    order = await buyer.order((await town.lists(coach), 1))
    checkout = await buyer.checkout(order["id"])
    await town.fault(fault="error_500", method="GET", path="/v1/payment_intents/*", times=6)
    await town.confirm(checkout)
    await town.settle()
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "checkout"
    for _ in range(8):
        await town.passes(seconds=40)
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"
