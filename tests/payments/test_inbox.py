"""The inbox: stored once, worked on in any order, never dropped."""

import asyncio
import json
import random
from typing import Any

import pytest

from payments.database import execute, row, value
from payments.errors import SignatureRefused
from payments.ids import new_id
from payments.inbox import replay
from payments.receipt import Receipt, read_delivery
from tests.payments.conftest import Till, at_once, postings


def event(kind: str, obj: dict[str, Any], **changes: Any) -> bytes:
    facts = {
        "id": new_id("evt"),
        "object": "event",
        "type": kind,
        "livemode": False,
        "account": None,
        "data": {"object": obj},
    }
    return json.dumps(facts | changes).encode()


async def keep(till: Till, *bodies: bytes) -> None:
    receipt = Receipt()
    await asyncio.gather(
        *[receipt.keep(read_delivery("platform", body, till.clock())) for body in bodies]
    )


async def state_of(body: bytes) -> tuple[str, str | None]:
    found = await row(
        "SELECT state, note FROM stripe_events WHERE event_id = $1", json.loads(body)["id"]
    )
    assert found is not None
    return found["state"], found["note"]


async def intent_event(till: Till, order_id: str, kind: str, **changes: Any) -> bytes:
    payment = await till.payments.find(order_id)
    assert payment is not None
    metadata = {"order_id": order_id, "payment_id": payment.id}
    return event(
        kind,
        {"id": payment.intent_id, "object": "payment_intent", "metadata": metadata},
        **changes,
    )


@pytest.fixture(autouse=True)
async def _empty() -> None:
    await execute("TRUNCATE stripe_events")


async def test_a_nudge_makes_the_order_paid(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    body = await intent_event(till, order_id, "payment_intent.succeeded")
    await keep(till, body)
    assert await till.inbox.process_due(till.clock(), 10) == 1
    assert till.heard() == ["PaymentCaptured"]
    assert await state_of(body) == ("done", None)


async def test_the_same_event_fifty_times_at_once_is_stored_and_worked_on_once(
    till: Till, order_id: str
) -> None:
    """pinelab-vendure-plugins 620: one success event, three settlements."""
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    body = await intent_event(till, order_id, "payment_intent.succeeded")
    await keep(till, *[body] * 50)
    await keep(till, body)
    assert await value("SELECT count(*) FROM stripe_events") == 1
    await at_once(*[till.inbox.process_due(till.clock(), 10) for _ in range(5)])
    assert till.heard() == ["PaymentCaptured"]


async def test_events_in_any_order_end_in_the_same_state(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    kinds = ["created", "processing", "requires_action", "succeeded", "payment_failed", "canceled"]
    bodies = [await intent_event(till, order_id, f"payment_intent.{kind}") for kind in kinds]
    random.Random(7).shuffle(bodies)
    for body in bodies:
        await keep(till, body)
        await till.inbox.process_due(till.clock(), 10)
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert (payment.status, till.heard()) == ("succeeded", ["PaymentCaptured"])
    assert [p[0] for p in await postings(order_id)].count("capture") == 1


async def test_events_about_one_payment_cost_one_read(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    kinds = ["payment_intent.succeeded", "payment_intent.created", "payment_intent.processing"]
    await keep(till, *[await intent_event(till, order_id, kind) for kind in kinds])
    asked = till.payments.refresh_intent
    reads = 0

    async def counted(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return await asked(*arguments)

    till.payments.refresh_intent = counted  # type: ignore[method-assign]
    assert await till.inbox.process_due(till.clock(), 10) == 3
    assert reads == 1


async def test_a_payload_is_never_believed(till: Till, order_id: str) -> None:
    """It says succeeded; Stripe says otherwise."""
    await till.open(order_id)
    await keep(till, await intent_event(till, order_id, "payment_intent.succeeded"))
    await till.inbox.process_due(till.clock(), 10)
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.status == "requires_payment_method"
    assert till.heard() == []


async def test_an_event_about_a_payment_nobody_knows_yet_waits_and_is_given_up_with_an_alarm(
    till: Till,
) -> None:
    """statamic-cargo 190: the webhook came before the order row, got 200, and the order was stuck."""
    body = event(
        "payment_intent.succeeded",
        {
            "id": "pi_unknown",
            "object": "payment_intent",
            "metadata": {"payment_id": "pay_unknown", "order_id": "ord_unknown"},
        },
    )
    await keep(till, body)
    await till.inbox.process_due(till.clock(), 10)
    assert (await state_of(body))[0] == "waiting"
    assert await till.inbox.process_due(till.clock(), 10) == 0, "not due again at once"
    for _ in range(200):
        await till.inbox.process_due(till.clock.move(minutes=30), 10)
    assert (await state_of(body))[0] == "dead"


async def test_the_webhook_before_our_own_answer_finds_its_payment_by_metadata(
    till: Till, order_id: str
) -> None:
    till.gateway.lose_answer_after()
    operation_id = await till.plan(order_id)
    await at_once(till.payments.open_intent(order_id, operation_id))
    intent_id = next(iter(till.gateway._intents))
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.intent_id is None
    body = event(
        "payment_intent.created",
        {
            "id": intent_id,
            "object": "payment_intent",
            "metadata": {"payment_id": payment.id, "order_id": order_id},
        },
    )
    await keep(till, body)
    await till.inbox.process_due(till.clock(), 10)
    found = await till.payments.find(order_id)
    assert found is not None
    assert found.intent_id == intent_id


async def test_the_other_mode_is_acknowledged_and_ignored(till: Till, order_id: str) -> None:
    """pay 999: test events reached the live endpoint."""
    await till.open(order_id)
    body = await intent_event(till, order_id, "payment_intent.succeeded", livemode=True)
    await keep(till, body)
    await till.inbox.process_due(till.clock(), 10)
    assert (await state_of(body))[0] == "ignored"


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("something.new", {"id": "x_1", "object": "x"}),
        ("payment_intent.created", {"id": "pi_other", "object": "payment_intent", "metadata": {}}),
    ],
)
async def test_what_is_not_ours_is_stored_and_ignored(
    till: Till, kind: str, obj: dict[str, Any]
) -> None:
    body = event(kind, obj)
    await keep(till, body)
    await till.inbox.process_due(till.clock(), 10)
    assert (await state_of(body))[0] == "ignored"


async def test_one_poisoned_event_does_not_hold_up_the_others(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)

    async def poison(notices: Any) -> None:
        raise ZeroDivisionError

    till.inbox.register("poison.", poison)
    bad = [event("poison.pill", {"id": f"x_{n}", "object": "x"}) for n in range(5)]
    good = await intent_event(till, order_id, "payment_intent.succeeded")
    await keep(till, *bad, good)
    await till.inbox.process_due(till.clock(), 100)
    assert (await state_of(good))[0] == "done"
    assert await state_of(bad[0]) == ("due", "ZeroDivisionError")


async def test_an_event_is_replayed_on_request(till: Till) -> None:
    body = event("customer.created", {"id": "cus_1", "object": "customer"})
    await keep(till, body)
    await till.inbox.process_due(till.clock(), 10)
    assert await replay([json.loads(body)["id"]], till.clock()) == 1
    assert await till.inbox.process_due(till.clock(), 10) == 1
    assert await replay(["evt_nothing"], till.clock()) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"id":1,"type":"x","livemode":false}',
        b'{"id":"","type":"x","livemode":false}',
        b'{"id":"evt_1","type":"x","livemode":false,"data":{"object":7}}',
        b"[" * 100_000,
        b'{"id":"evt_1","type":"\xff","livemode":false}',
        json.dumps({"id": "evt_" + "x" * 90, "type": "x", "livemode": False}).encode(),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(till: Till, body: bytes) -> None:
    with pytest.raises(SignatureRefused):
        read_delivery("platform", body, till.clock())


def test_an_event_about_a_balance_is_received(till: Till) -> None:
    """A Balance has no id: refusing it for days would make Stripe switch the address off."""
    body = event("balance.available", {"object": "balance", "available": []})
    delivery = read_delivery("connect", body, till.clock())
    assert (delivery.type, delivery.object_id) == ("balance.available", None)


async def test_when_the_database_is_gone_every_sender_is_told(till: Till) -> None:
    receipt = Receipt()
    wrong = read_delivery("platform", event("a.b", {"id": "x", "object": "x"}), till.clock())
    import msgspec

    unstorable = msgspec.structs.replace(wrong, door="nowhere")  # type: ignore[arg-type]
    answers = await at_once(*[receipt.keep(unstorable) for _ in range(3)])
    assert [type(answer).__name__ for answer in answers] == ["CheckViolationError"] * 3
    await receipt.keep(wrong)
    assert await value("SELECT count(*) FROM stripe_events") == 1


async def test_a_delivery_that_cannot_be_stored_is_refused_alone(till: Till) -> None:
    receipt = Receipt()
    bodies = [event("a.b", {"id": "x", "object": "x"}) for _ in range(5)]
    bodies[2] = event("a.b", {"id": "x", "object": "x"}, account="acct_\x00")
    bodies[3] = event("a.b", {"id": "x", "object": "x"}, account="acct_" + "x" * 100)
    answers = await at_once(
        *[receipt.keep(read_delivery("platform", body, till.clock())) for body in bodies]
    )
    assert [answer is None for answer in answers] == [True, True, False, False, True]
    assert await value("SELECT count(*) FROM stripe_events") == 3
