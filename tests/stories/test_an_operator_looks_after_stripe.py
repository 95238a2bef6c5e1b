"""The operator's day with Stripe: events that never came, answers that got lost, a silence."""

from typing import Any

import pytest

from payments.database import rows, value
from tests.stories.town import Person, Town


async def _after(town: Town, admin: Person, **time: float) -> None:
    """Time passes, longer than a session lasts; the admin signs in again."""
    await town.passes(**time)
    await town.signs_in(admin)


async def _reads(admin: Person, path: str, **query: Any) -> list[Any]:
    found: list[Any] = (await admin.get(path, **query))["data"]
    return found


async def test_every_webhook_of_an_hour_was_lost_and_the_list_brought_them_back(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """Our address was wrong for an hour: what Stripe told meanwhile is found, worked on and reported."""
    listing = await town.lists(coach)
    await _after(town, admin, hours=1)
    await town.signs_in(buyer)
    await town.signs_in(coach)
    before = await value("SELECT count(*) FROM missed_events")
    await town.fault(fault="drop", times=100)
    order = await buyer.order((listing, 1))
    await town.confirm(await buyer.checkout(order["id"]))
    await town.settle()
    await town.stripe("DELETE", "/_sandbox/faults")
    await town.passes(minutes=10)
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"
    await _after(town, admin, minutes=50)
    report = await admin.get("/v1/admin/events/gaps", limit=100)
    types = {one["type"] for one in report["data"]}
    assert "payment_intent.succeeded" in types
    assert len(report["data"]) > before
    for one in report["data"]:
        event = (await admin.get(f"/v1/admin/events/{one['id']}"))["event"]
        assert event["state"] in ("done", "ignored")
    assert {one["feed"] for one in report["compared"]} >= {"platform", "undelivered", "accounts"}
    told = await _reads(admin, "/v1/me/messages", limit=100)
    assert "events_missed" in {message["kind"] for message in told}
    found = await value("SELECT count(*) FROM missed_events")
    await _after(town, admin, hours=3)
    assert await value("SELECT count(*) FROM missed_events") == found


async def test_a_payout_whose_events_were_lost_is_found_in_its_accounts_own_list(
    town: Town, admin: Person
) -> None:
    """Connected accounts have lists of their own: what they had is asked for on their behalf."""
    seller = await town.seller("carla", admin=admin)
    buyer = await town.arrives("bo")
    await buyer.pays(await town.lists(seller), card="pm_card_bypassPending")
    await town.fault(fault="drop", event="payout.*", times=100)
    await town.passes(days=4)
    await town.stripe("DELETE", "/_sandbox/faults")
    await _after(town, admin, days=1)
    account = await town.account_of(seller)
    missed = await rows("SELECT type, door FROM missed_events WHERE account = $1", account)
    assert ("payout.paid", "connect") in {tuple(each) for each in missed}


async def test_a_refund_whose_answer_got_lost_is_resolved_by_reading_stripe(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """A refund's answer got lost: the operator sees it told in words, resolves it, and it is one refund."""
    await town.signs_in(coach)
    order_id = await buyer.pays(await town.lists(coach))
    await town.fault(fault="lost_after", method="POST", path="/v1/refunds")
    answer = await coach.call("POST", f"/v1/orders/{order_id}/refunds", {}, key="the-refund")
    assert answer.status_code in (201, 503), answer.text
    (open_one,) = await _reads(admin, "/v1/admin/operations", order_id=order_id, open=True)
    assert (open_one["kind"], open_one["state"]) == ("create_refund", "unknown")
    assert open_one["asked_for"] == "give the buyer money back"
    assert "got lost" in open_one["happened"]
    path = f"/v1/admin/operations/{open_one['id']}"
    resolved = await admin.post(f"{path}/resolution", {"reason": "The buyer is on the phone"})
    assert resolved["outcome"] == "succeeded"
    assert len(await town.asked("POST", "/v1/refunds")) >= 1
    refunds = (await buyer.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert [one["status"] for one in refunds] == ["succeeded"]
    await town.settle()
    assert (await admin.refused("POST", f"{path}/resolution", {"reason": "again"})) == (
        409,
        "operation_concluded",
    )
    actions = {
        entry["action"] for entry in await _reads(admin, "/v1/admin/audit", subject=open_one["id"])
    }
    assert actions == {"operation.resolution_asked", "operation.succeeded"}


@pytest.mark.parametrize(("fault", "sent"), [("lost_after", 1), ("lost_before", 2)])
async def test_a_request_without_an_answer_is_never_sent_again_after_its_keys_life(
    town: Town, admin: Person, coach: Person, buyer: Person, fault: str, sent: int
) -> None:
    """Nobody was there for a day. Stripe is read: what it did is adopted, what it never did is a new wish."""
    await town.signs_in(coach)
    order_id = await buyer.pays(await town.lists(coach))
    before = len(await town.asked("POST", "/v1/refunds"))
    await town.fault(fault=fault, method="POST", path="/v1/refunds")
    await coach.call("POST", f"/v1/orders/{order_id}/refunds", {}, key=f"refund-{fault}")
    (lost,) = await _reads(admin, "/v1/admin/operations", order_id=order_id, open=True)
    assert lost["state"] == "unknown"
    town.clock.move(hours=23, seconds=1)
    town.sandbox.sandbox.advance(23 * 3600 + 1)
    await town.signs_in(admin)
    (told,) = await _reads(admin, "/v1/admin/operations", order_id=order_id, open=True)
    assert not told["sendable"]
    assert "never sent again" in told["next"]
    await town.settle()
    await town.passes(minutes=1)
    asked = (await town.asked("POST", "/v1/refunds"))[before:]
    keys = [one["idempotency_key"] for one in asked]
    assert len(keys) == len(set(keys)) == sent
    await town.signs_in(buyer)
    refunds = (await buyer.get(f"/v1/orders/{order_id}/refunds"))["data"]
    assert [(one["status"], one["amount"]) for one in refunds] == [("succeeded", 6_000)]


async def test_stripe_went_silent_and_the_operator_was_told(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """Nothing is delivered any more, buyers pay all the same: an alarm, and no order is lost."""
    await town.signs_in(coach)
    listing = await town.lists(coach)
    await town.passes(minutes=5)
    await town.fault(fault="drop", times=1000)
    order = await buyer.order((listing, 1))
    await town.confirm(await buyer.checkout(order["id"]))
    await _after(town, admin, minutes=90)
    told = await _reads(admin, "/v1/me/messages", limit=100)
    assert "stripe_silent" in {message["kind"] for message in told}
    await town.signs_in(buyer)
    assert (await buyer.get(f"/v1/orders/{order['id']}"))["status"] == "paid"
    await town.stripe("DELETE", "/_sandbox/faults")


async def test_events_that_were_given_up_are_replayed_when_their_cause_is_gone(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """An order's row was not there for three days (a restore, say): its events are dead, then done."""
    await town.signs_in(coach)
    order_id = await buyer.pays(await town.lists(coach))
    (event_id, *_) = [
        one["event_id"]
        for one in await rows(
            "UPDATE stripe_events SET state = 'dead', note = 'no such payment yet' "
            "WHERE payload LIKE '%' || $1 || '%' AND type = 'payment_intent.succeeded' "
            "RETURNING event_id",
            order_id,
        )
    ]
    (dead,) = [
        one
        for one in await _reads(admin, "/v1/admin/events", state="dead")
        if one["id"] == event_id
    ]
    assert dead["note"] == "no such payment yet"
    replayed = await admin.post("/v1/admin/events/replay", {"state": "dead", "reason": "restored"})
    assert replayed["count"] >= 1
    await town.settle()
    event = (await admin.get(f"/v1/admin/events/{event_id}"))["event"]
    assert (event["state"], event["note"]) == ("done", None)
