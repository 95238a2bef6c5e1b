"""A buyer's bank takes the money back: opened, answered, won, lost, in part; the books follow Stripe."""

from datetime import datetime, timedelta
from typing import Any

from tests.stories.town import Person, Town


async def _sold(town: Town) -> tuple[Person, Person, Person, str, str]:
    """A session that was paid: admin, coach, buyer, order and PaymentIntent."""
    admin = await town.admin()
    coach = await town.seller(admin=admin)
    buyer = await town.arrives("buyer")
    # The platform's own balance is filled, so that what is won can be sent to the seller at once.
    order_id = await buyer.pays(await town.lists(coach), card="pm_card_bypassPending")
    found = await admin.get(f"/v1/admin/orders/{order_id}")
    return admin, coach, buyer, order_id, str(found["payment_intent"])


async def _disputes(town: Town, intent: str, **facts: Any) -> str:
    """The bank opens a dispute, and everybody hears of it; answers Stripe's id."""
    dispute = await town.stripe(
        "POST", "/_sandbox/disputes", json={"payment_intent": intent, **facts}
    )
    await town.settle()
    return str(dispute["id"])


async def _ends(town: Town, dispute: str, **outcome: Any) -> None:
    await town.stripe("POST", f"/_sandbox/disputes/{dispute}", json=outcome)
    await town.settle()


async def _postings(admin: Person, order_id: str) -> list[Any]:
    found = await admin.get("/v1/admin/ledger", order_id=order_id, limit=100)
    return list(found["data"])


async def _sums(admin: Person, order_id: str) -> dict[str, int]:
    """What each account holds because of this order."""
    held: dict[str, int] = {}
    for one in await _postings(admin, order_id):
        held[one["source"]] = held.get(one["source"], 0) - one["amount"]
        held[one["target"]] = held.get(one["target"], 0) + one["amount"]
    return {account: amount for account, amount in held.items() if amount}


async def test_a_dispute_is_won_by_its_evidence_and_the_coach_has_everything_again(
    town: Town,
) -> None:
    admin, coach, buyer, order_id, intent = await _sold(town)
    before = await _sums(admin, order_id)
    await buyer.post(f"/v1/orders/{order_id}/messages", {"body": "Thank you, that helped!"})
    await _disputes(town, intent, reason="product_not_received")
    (dispute,) = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    assert (dispute["order_id"], dispute["amount"], dispute["needs_answer"]) == (
        order_id,
        6000,
        True,
    )
    during = await _sums(admin, order_id)
    # The seller's share is back with the platform: they have nothing of this order while it is open.
    assert coach.seller_id not in {account.removeprefix("seller:") for account in during}
    path = f"/v1/disputes/{dispute['id']}"
    evidence = await coach.get(f"{path}/evidence")
    assert "An hour with a coach" in evidence["fields"]["product_description"]
    assert "Thank you, that helped!" in evidence["fields"]["uncategorized_text"]
    assert (
        "24 hours before the start: 100 %" in evidence["fields"]["cancellation_policy_disclosure"]
    )
    # The bank is told where the buyer can be reached; the seller is not.
    assert buyer.email not in str(evidence)
    assert (await admin.get(f"{path}/evidence"))["fields"]["customer_email_address"] == buyer.email
    answer = await coach.call(
        "PUT", f"{path}/evidence", {"fields": {"uncategorized_text": "winning_evidence"}}
    )
    assert answer.status_code == 200, answer.text
    submitted = await coach.post(f"{path}/submission")
    assert submitted["dispute"]["evidence_submitted_at"] is not None
    await town.settle()
    after = await coach.get(path)
    assert (after["status"], after["amount_reinstated"]) == ("won", 6000)
    assert await _sums(admin, order_id) == before
    assert await coach.refused("POST", f"{path}/submission") == (409, "dispute_step_refused")
    steps = (await admin.get(f"/v1/admin/orders/{order_id}"))["steps"]
    assert [one["step"] for one in steps][-2:] == ["disputed", "dispute_closed"]


async def test_a_lost_dispute_is_borne_by_the_seller_once(town: Town) -> None:
    """Lost disputes were not pulled from recipients: more than 500 euro missing in two months."""
    admin, coach, _, order_id, intent = await _sold(town)
    dispute = await _disputes(town, intent)
    await _ends(town, dispute, outcome="lost")
    held = await _sums(admin, order_id)
    assert f"seller:{coach.seller_id}" not in held
    # Told again and again, nothing moves twice.
    events = (await town.stripe("GET", "/v1/events", params={"limit": 20}))["data"]
    for event in events:
        await town.stripe("POST", f"/_sandbox/deliveries/{event['id']}")
    await town.settle()
    assert await _sums(admin, order_id) == held
    (reversal,) = [
        one for one in await _postings(admin, order_id) if one["kind"] == "transfer_reversal"
    ]
    assert reversal["amount"] == 5100


async def test_a_refund_while_disputed_is_refused_so_the_seller_is_not_debited_twice(
    town: Town,
) -> None:
    """A refund while disputed debited the seller twice."""
    _, coach, _, order_id, intent = await _sold(town)
    dispute = await _disputes(town, intent)
    refused = await coach.refused("POST", f"/v1/orders/{order_id}/refunds", {})
    assert refused == (409, "payment_disputed")
    await _ends(town, dispute, outcome="won")
    refund = await coach.post(f"/v1/orders/{order_id}/refunds", {})
    assert (refund["status"], refund["amount"]) == ("succeeded", 6000)


async def test_the_event_that_closes_a_dispute_is_lost_and_the_verdict_is_read(town: Town) -> None:
    """695 disputes were never booked: the closing event was missed, and 184 of them were lost."""
    _, coach, _, _, intent = await _sold(town)
    dispute = await _disputes(town, intent)
    await town.fault(fault="drop", times=10)
    await town.stripe("POST", f"/_sandbox/disputes/{dispute}", json={"outcome": "lost"})
    await town.settle()
    await town.stripe("DELETE", "/_sandbox/faults")
    await town.passes(hours=2)
    await town.signs_in(coach)
    (known,) = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    assert (known["status"], known["closed_at"] is not None) == ("lost", True)


async def test_a_dispute_nobody_told_of_is_found_in_stripes_list(town: Town) -> None:
    _, coach, _, _, intent = await _sold(town)
    await town.fault(fault="drop", times=10)
    await _disputes(town, intent)
    await town.stripe("DELETE", "/_sandbox/faults")
    await town.passes(hours=2)
    await town.signs_in(coach)
    assert len((await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]) == 1


async def test_an_inquiry_takes_no_money_and_may_be_refunded(town: Town) -> None:
    admin, coach, _, order_id, intent = await _sold(town)
    before = await _sums(admin, order_id)
    await _disputes(town, intent, inquiry=True)
    assert await _sums(admin, order_id) == before
    (known,) = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    assert (known["inquiry"], known["status"]) == (True, "warning_needs_response")
    refund = await coach.post(f"/v1/orders/{order_id}/refunds", {})
    assert refund["status"] == "succeeded"
    await town.settle()
    (known,) = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    assert known["status"] == "warning_closed"


async def test_a_bank_gives_a_part_back_and_the_seller_gets_their_part_of_it(town: Town) -> None:
    admin, coach, buyer, order_id, intent = await _sold(town)
    before = await _sums(admin, order_id)
    # The fee of another sale lets the platform pay before the bank's other half is made up for.
    await buyer.pays(await town.lists(coach, unit_amount=200_000), card="pm_card_bypassPending")
    dispute = await _disputes(town, intent)
    await _ends(town, dispute, outcome="partial", amount=3000)
    held = await _sums(admin, order_id)
    seller = f"seller:{coach.seller_id}"
    assert held[seller] * 2 == before[seller]
    assert held["buyers"] == before["buyers"] + 3000


async def test_giving_up_loses_at_once(town: Town) -> None:
    _, coach, buyer, _, intent = await _sold(town)
    await _disputes(town, intent)
    (dispute,) = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    assert await buyer.refused("GET", f"/v1/disputes/{dispute['id']}") == (404, "dispute_not_found")
    given_up = await coach.post(f"/v1/disputes/{dispute['id']}/acceptance")
    assert given_up["status"] == "lost"


async def test_evidence_after_the_deadline_is_refused_and_sellers_were_reminded(town: Town) -> None:
    admin, coach, buyer, _, intent = await _sold(town)
    await _disputes(town, intent)
    asked = await buyer.pays(await town.lists(coach))
    found = await admin.get(f"/v1/admin/orders/{asked}")
    await _disputes(town, str(found["payment_intent"]), inquiry=True)
    known = (await coach.get(f"/v1/sellers/{coach.seller_id}/disputes"))["data"]
    (inquiry,) = [one for one in known if one["inquiry"]]
    (dispute,) = [one for one in known if not one["inquiry"]]
    # Banks listen until a day is over, so how long is left depends on the hour: the moments are asked for.
    ends = {datetime.fromisoformat(one["evidence_due_by"]) for one in known}
    for moment in sorted(end - timedelta(hours=left) for end in ends for left in (71, 23)):
        await town.passes(seconds=(moment - town.clock()).total_seconds())
    await town.signs_in(coach)
    told = (await coach.get("/v1/me/messages", limit=100))["data"]
    reminded = [one for one in told if one["kind"].endswith("_due")]
    assert sorted((one["kind"], one["subject_id"]) for one in reminded) == sorted(
        [("dispute_evidence_due", dispute["id"]), ("inquiry_answer_due", inquiry["id"])] * 2
    )
    # A question can be answered or refunded, but it is not lost.
    asking = [" ".join(one["paragraphs"]) for one in reminded if one["subject_id"] == inquiry["id"]]
    assert all("may become a dispute" in body and "without you" not in body for body in asking)
    await town.passes(days=3)
    await town.signs_in(coach)
    refused = await coach.refused("POST", f"/v1/disputes/{dispute['id']}/submission")
    assert refused == (409, "dispute_step_refused")


async def test_an_early_fraud_warning_is_told_once_and_a_refund_takes_its_sting(town: Town) -> None:
    admin, coach, _, order_id, intent = await _sold(town)
    await town.stripe("POST", "/_sandbox/early-fraud-warnings", json={"payment_intent": intent})
    await town.settle()
    steps = (await admin.get(f"/v1/admin/orders/{order_id}"))["steps"]
    assert [one["step"] for one in steps].count("fraud_warned") == 1
    await coach.post(f"/v1/orders/{order_id}/refunds", {})
    await town.settle()
    warnings = await town.composition.services.fraud_warnings.of_order(order_id)
    assert [one.actionable for one in warnings] == [False]
