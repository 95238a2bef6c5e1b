"""What went wrong in other shops' checkouts, played here: each test is named after what happened there."""

import asyncio
from datetime import timedelta
from typing import Any

from marketplace.oversight import reconciliation_runs
from payments.database import value
from payments.ids import new_id
from tests.stories.test_a_day_of_a_buyer import changed, confirm, intent_of, lines, status_of
from tests.stories.town import Person, Town
from tests.stories.wallet import saves_card


async def intents_of(town: Town, order_id: str) -> list[Any]:
    found = (await town.stripe("GET", "/v1/payment_intents", params={"limit": 100}))["data"]
    return [one for one in found if one["metadata"].get("order_id") == order_id]


async def took(town: Town, order_id: str) -> int:
    """What Stripe holds or has taken for this order, over all its PaymentIntents."""
    return sum(
        one["amount_received"] + one["amount_capturable"]
        for one in await intents_of(town, order_id)
    )


async def test_one_order_got_two_payment_intents_and_both_were_charged(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Two tabs and a lost answer made two PaymentIntents, and the shop saw one of them."""
    order = await buyer.order((await town.lists(coach), 1))
    await town.fault(fault="lost_after", method="POST", path="/v1/payment_intents", times=1)
    path = f"/v1/orders/{order['id']}/checkout"
    answers = await asyncio.gather(
        *[buyer.call("POST", path, {"again": True}, key=new_id("k")) for _ in range(6)]
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    await town.passes(minutes=1)
    checkout = await buyer.checkout(order["id"])
    await town.confirm(checkout)
    await town.settle()
    assert len(await intents_of(town, order["id"])) == 1
    assert await took(town, order["id"]) == 6_000
    assert await status_of(buyer, order["id"]) == "paid"


async def test_a_late_cart_save_after_the_payment_made_the_buyer_pay_again(
    town: Town, coach: Person, buyer: Person
) -> None:
    """The redrawn checkout took the same money again: 177 times a week, and nobody gave it back."""
    mat = await town.product(coach)
    order = await buyer.order((mat, 1))
    paying = await confirm(buyer, order)
    assert await buyer.refused("PATCH", f"/v1/orders/{order['id']}", lines((mat, 2))) == (
        409,
        "cart_frozen",
    )
    await town.confirm(paying)
    # The webhook is late, and the page draws the checkout again, for a new order of the same.
    again = await buyer.order((mat, 1))
    path = f"/v1/orders/{again['id']}"
    assert await buyer.refused("POST", f"{path}/checkout") == (409, "bought_already")
    assert await buyer.refused("PATCH", f"/v1/orders/{order['id']}", lines((mat, 2))) == (
        409,
        "order_step_refused",
    )
    await town.settle()
    assert await took(town, order["id"]) == 2_500
    assert await intents_of(town, again["id"]) == []
    # Who does want it twice says so.
    paying = await confirm(buyer, again, again=True)
    await town.confirm(paying)
    await town.settle()
    assert await took(town, again["id"]) == 2_500


async def test_three_buyers_paid_for_the_last_one(town: Town, coach: Person) -> None:
    """Stock was looked at when the cart was filled, and taken when all three had paid."""
    mat = await town.product(coach, stock=1)
    buyers = [await town.arrives(f"bidder{n}") for n in range(3)]
    orders = [await buyer.order((mat, 1)) for buyer in buyers]

    async def pay(buyer: Person, order: Any) -> int:
        answer = await buyer.call(
            "POST", f"/v1/orders/{order['id']}/confirmation", {"amount": order["total"]}
        )
        if answer.status_code == 200:
            await town.confirm(answer.json())
        return answer.status_code

    codes = await asyncio.gather(*[pay(b, o) for b, o in zip(buyers, orders, strict=True)])
    await town.settle()
    assert sorted(codes) == [200, 409, 409]
    assert sum([await took(town, order["id"]) for order in orders]) == 2_500
    # A change cannot get at what is not there either.
    winner = buyers[codes.index(200)]
    other = await winner.order((await town.product(coach), 1))
    await winner.checkout(other["id"])
    refused = await winner.refused("PATCH", f"/v1/orders/{other['id']}", lines((mat, 1)))
    assert refused == (409, "out_of_stock")


async def test_the_webhook_came_before_the_order_knew_of_its_payment_intent(
    town: Town, coach: Person, buyer: Person
) -> None:
    """It was answered 200 and thrown away, and the order waited for ever."""
    order = await buyer.order((await town.lists(coach), 1))
    await town.fault(fault="lost_after", method="POST", path="/v1/payment_intents", times=1)
    status, code = await buyer.refused("POST", f"/v1/orders/{order['id']}/checkout")
    assert (status, code) == (503, "payments_unavailable")
    await town.passes(minutes=1)
    paying = await confirm(buyer, order)
    await town.confirm(paying)
    await town.settle()
    assert len(await intents_of(town, order["id"])) == 1
    assert await status_of(buyer, order["id"]) == "paid"
    assert await value("SELECT count(*) FROM stripe_events WHERE state = 'dead'") == 0


async def test_answer_and_webhook_both_completed_the_cart(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Each began, each found the other's half-done work, and one order in twenty went missing."""
    card = await saves_card(town, buyer)
    order = await buyer.order((await town.lists(coach), 1))
    path = f"/v1/orders/{order['id']}"
    await town.fault(fault="duplicate", times=5, copies=5)
    await asyncio.gather(
        confirm(buyer, order, card_id=card),
        *[buyer.call("POST", f"{path}/refresh") for _ in range(5)],
        *[buyer.get(path) for _ in range(5)],
    )
    await town.settle()
    steps = [step["step"] for step in (await buyer.get(f"{path}/history"))["data"]]
    assert steps == ["placed", "checkout_begun", "confirmation_begun", "captured"]
    assert await took(town, order["id"]) == 6_000


async def test_the_order_was_edited_after_a_decline_and_the_old_total_was_charged(
    town: Town, coach: Person, buyer: Person
) -> None:
    """The page showed the new total, the PaymentIntent still had the old one."""
    mat = await town.product(coach)
    order = await buyer.order((mat, 3))
    paying = await confirm(buyer, order)
    await town.confirm(paying, "pm_card_visa_chargeDeclined")
    await town.settle()
    order = await changed(buyer, order["id"], **lines((mat, 1)))
    assert (await intent_of(town, paying))["amount"] == order["total"] == 2_500
    assert await buyer.refused(
        "POST", f"/v1/orders/{order['id']}/confirmation", {"amount": 7_500}
    ) == (409, "total_changed")
    await town.confirm(await confirm(buyer, order))
    await town.settle()
    assert await took(town, order["id"]) == 2_500


async def test_a_cheap_payment_settled_an_expensive_order(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Ids were mixed, by mistake or on purpose, and nobody compared amount and order."""
    cheap = await buyer.order((await town.lists(coach, unit_amount=100), 1))
    dear = await buyer.order((await town.lists(coach, unit_amount=90_000), 1))
    paying = await confirm(buyer, cheap)
    await buyer.checkout(dear["id"])
    # Somebody writes the other order's number on the cheap payment, in Stripe's Dashboard.
    await town.stripe(
        "POST",
        f"/v1/payment_intents/{paying['payment_intent']}",
        data={"metadata[order_id]": dear["id"]},
    )
    await town.confirm(paying)
    for _ in range(2):
        await buyer.call("POST", f"/v1/orders/{dear['id']}/refresh")
    assert await status_of(buyer, dear["id"]) == "checkout"
    await town.stripe(
        "POST",
        f"/v1/payment_intents/{paying['payment_intent']}",
        data={"metadata[order_id]": cheap["id"]},
    )
    await town.passes(minutes=10)
    await town.signs_in(buyer)
    assert await status_of(buyer, cheap["id"]) == "paid"
    assert await status_of(buyer, dear["id"]) == "checkout"


async def test_the_page_showed_a_new_amount_and_stripe_captured_the_old_one(
    town: Town, coach: Person, buyer: Person
) -> None:
    """An authorized order was edited: the screen changed, the hold did not."""
    mat = await town.product(coach)
    order = await buyer.order((mat, 2))
    await town.confirm(await confirm(buyer, order))
    await town.settle()
    path = f"/v1/orders/{order['id']}"
    assert await buyer.refused("PATCH", path, lines((mat, 1))) == (409, "order_step_refused")
    assert (await buyer.get(path))["total"] == await took(town, order["id"]) == 5_000
    await coach.post(f"{path}/preparation")
    assert (await buyer.get(path))["payment"]["amount_captured"] == 5_000


async def test_a_decline_was_replayed_all_day_because_the_key_never_changed(
    town: Town, coach: Person, buyer: Person
) -> None:
    """Every later attempt, with money on the card, was answered with the first one's no."""
    poor = await saves_card(town, buyer, "pm_card_chargeCustomerFail")
    good = await saves_card(town, buyer)
    order = await buyer.order((await town.lists(coach), 1))
    path, body = f"/v1/orders/{order['id']}/confirmation", {"amount": order["total"]}
    for _ in range(2):
        assert (await buyer.refused("POST", path, {**body, "card_id": poor}))[0] == 402
    assert (await confirm(buyer, order, card_id=good))["status"] == "succeeded"
    await town.settle()
    assert await status_of(buyer, order["id"]) == "paid"
    asked = [
        one["idempotency_key"]
        for one in await town.asked("POST", "/v1/payment_intents")
        if one["path"].endswith("/confirm") and order["id"] in (one["idempotency_key"] or "")
    ]
    assert len(set(asked)) == len(asked) == 3


async def test_a_timeout_while_confirming_called_a_paid_order_failed(
    town: Town, coach: Person, buyer: Person
) -> None:
    """The bank had said yes; the shop heard nothing, offered the cart again, and it was paid twice."""
    card = await saves_card(town, buyer)
    hour = await town.lists(coach)
    order = await buyer.order((hour, 1))
    path = f"/v1/orders/{order['id']}"
    await buyer.checkout(order["id"])
    await town.fault(
        fault="lost_after", method="POST", path="/v1/payment_intents/*/confirm", times=1
    )
    body = {"amount": order["total"], "card_id": card}
    assert await buyer.refused("POST", f"{path}/confirmation", body) == (
        503,
        "payments_unavailable",
    )
    assert (await buyer.get(path))["status"] in ("checkout", "paid"), "unknown is not failed"
    other = await buyer.order((hour, 1))
    assert (await buyer.refused("POST", f"/v1/orders/{other['id']}/checkout"))[1] == (
        "bought_already"
    )
    await town.settle()
    assert await status_of(buyer, order["id"]) == "paid"
    assert await took(town, order["id"]) == 6_000


async def test_an_abandoned_update_left_the_order_and_stripe_with_two_totals(
    town: Town, coach: Person, buyer: Person
) -> None:
    """The answer to the update was lost: the shop kept the old total, Stripe had the new one."""
    mat = await town.product(coach)
    order = await buyer.order((mat, 1))
    checkout = await buyer.checkout(order["id"])
    path = f"/v1/orders/{order['id']}"
    for fault, total in (("lost_after", 5_000), ("lost_before", 7_500), ("error_500", 2_500)):
        await town.fault(
            fault=fault, method="POST", path=f"/v1/payment_intents/{checkout['payment_intent']}"
        )
        await buyer.call("PATCH", path, lines((mat, total // 2_500)))
        pending = (await buyer.get(path))["change"]
        if pending is not None:
            assert pending["total"] == total
            assert (await buyer.refused("POST", f"{path}/confirmation", {"amount": total}))[1] in (
                "change_under_way",
                "total_changed",
            )
        await town.passes(minutes=3)
        await town.signs_in(buyer)
        await town.signs_in(coach)
        told = await buyer.get(path)
        assert told["change"] is None, fault
        assert (await intent_of(town, checkout))["amount"] == told["total"]


async def test_the_key_was_that_of_another_account_and_stripe_knew_none_of_our_payments(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    """What is not paid can end, and a case says what to do; then the key is right again."""
    session, mat = await town.lists(coach), await town.product(coach)
    left, late = [(await buyer.order((session, 1)))["id"] for _ in range(2)]
    paying = [await buyer.checkout(order_id) for order_id in (left, late)]
    held, canceled, paid = [await buyer.pays(one) for one in (mat, mat, session)]
    await town.fault(fault="missing", path="/v1/payment_intents/pi_*", times=100_000)
    gone = (409, "payment_missing")
    assert await buyer.refused("POST", f"/v1/orders/{left}/checkout", {"again": True}) == gone
    assert await coach.refused("POST", f"/v1/orders/{held}/preparation") == gone
    assert await buyer.refused("PATCH", f"/v1/orders/{left}", lines((session, 2))) == gone
    assert (await buyer.post(f"/v1/orders/{left}/refresh"))["status"] == "checkout"
    for person, order_id in ((coach, canceled), (buyer, late)):
        ended = await person.post(f"/v1/orders/{order_id}/cancellation")
        assert ended["status"] == "canceled"
    town.clock.move(hours=25)
    town.sandbox.sandbox.advance(25 * 3600)
    await town.composition.services.payments.refresh_due(town.clock(), 1_000)
    await town.composition.services.expiry.expire_due(town.clock(), 1_000)
    await reconciled(town, admin)
    for person in (admin, buyer):
        await town.signs_in(person)
    assert await status_of(buyer, left) == "expired"
    found = {order_id: await missing(admin, order_id) for order_id in (left, late, held, paid)}
    assert {one["kind"] for one in found.values()} == {"missing_there"}, found
    assert (found[paid]["ours"], found[held]["ours"]) == ("succeeded", "requires_capture")
    assert "STRIPE_SECRET_KEY" in found[paid]["to_do"]

    await town.stripe("DELETE", "/_sandbox/faults")
    # Its first PaymentIntent may still be paid: there is no second one beside it.
    stays = (409, "order_step_refused")
    assert await buyer.refused("POST", f"/v1/orders/{left}/checkout", {"again": True}) == stays
    await town.confirm(paying[1])
    await reconciled(town, admin)
    assert [await missing(admin, order_id) for order_id in found] == [None] * 4
    await town.passes(seconds=30)
    await town.signs_in(buyer)
    assert await status_of(buyer, held) == "authorized"
    assert await status_of(buyer, late) == await status_of(buyer, canceled) == "canceled"
    # What was canceled meanwhile is released and given back, not kept.
    assert await took(town, canceled) == 0
    assert await value("SELECT amount_refunded FROM payments WHERE order_id = $1", late) == 6_000


async def reconciled(town: Town, admin: Person) -> None:
    """A run over the last two days, and nothing else."""
    now = town.clock()
    run = await reconciliation_runs.ask(
        now - timedelta(days=2), None, actor=admin.account_id, now=now
    )
    while await town.composition.services.reconciliation.go_on(now, run.id):
        pass


async def missing(admin: Person, order_id: str) -> Any:
    """The open case of a PaymentIntent that Stripe does not know; None: there is none."""
    cases = (await admin.get("/v1/admin/cases", order_id=order_id))["data"]
    left = [one for one in cases if one["what"] == "intent.missing" and one["state"] == "open"]
    return left[0] if left else None
