"""The trail of an order that saw much: a changed cart, a hold, a parcel, a dispute that was lost."""

from typing import Any

from tests.stories.town import Person, Town


def told(story: Any, *kinds: str) -> list[tuple[str, int | None]]:
    return [
        (one["event"], one["amount"]) for one in story["data"] if one["event"].startswith(kinds)
    ]


async def test_a_lost_dispute_is_told_from_the_cart_to_the_sellers_share(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    mat = await town.product(coach, unit_amount=6000)
    order_id = (await buyer.order((mat, 1)))["id"]
    address = {"line1": "1 Street", "city": "Berlin", "postal_code": "10115", "country": "DE"}
    changed = {
        "lines": [{"listing_id": mat, "quantity": 2}],
        "shipping": {"name": "Ada", "address": address},
    }
    answer = await buyer.call("PATCH", f"/v1/orders/{order_id}", changed)
    assert answer.status_code == 200, answer.text
    checkout = await buyer.checkout(order_id)
    await town.passes(minutes=3)
    await town.confirm(checkout)
    await town.settle()
    await town.passes(hours=2)
    await town.signs_in(coach)
    await coach.post(f"/v1/orders/{order_id}/preparation")
    await town.settle()
    await coach.post(
        f"/v1/orders/{order_id}/shipment", {"carrier": "DHL", "tracking_number": "JD 14"}
    )
    await town.settle()
    await town.passes(hours=3)
    await town.stripe(
        "POST", "/_sandbox/disputes", json={"payment_intent": checkout["payment_intent"]}
    )
    await town.settle()
    [dispute] = [
        one
        for one in (await town.stripe("GET", "/v1/disputes"))["data"]
        if one["payment_intent"] == checkout["payment_intent"]
    ]
    await town.passes(hours=1)
    await town.stripe("POST", f"/_sandbox/disputes/{dispute['id']}", json={"outcome": "lost"})
    await town.settle()

    for person in (admin, coach, buyer):
        await town.signs_in(person)
    path = f"/v1/orders/{order_id}/trail"
    bought, sold, whole = await buyer.get(path), await coach.get(path), await admin.get(path)
    assert told(bought, "cart", "books", "dispute", "order") == [
        ("order.placed", None),
        ("cart.applied", 12000),
        ("order.checkout_begun", None),
        ("order.authorized", None),
        ("books.capture", 12000),
        ("order.prepared", None),
        ("order.shipped", None),
        ("dispute.opened", 12000),
        ("dispute.closed", 12000),
    ]
    [shipped] = [one for one in bought["data"] if one["event"] == "order.shipped"]
    assert (shipped["actor"], shipped["facts"]["tracking_number"]) == ("seller", "JD 14")
    legs = told(sold, "books")
    assert legs == [
        ("books.capture", 12000),
        ("books.application_fee", -1230),
        ("books.transfer_reversal", -10770),
    ]
    assert sum(amount or 0 for _, amount in legs) == 0
    [reversed_] = [one for one in sold["data"] if one["event"] == "transfer.reversed"]
    assert reversed_["stripe_ids"]["transfer_reversal"].startswith("trr_")

    moments = [one["at"] for one in whole["data"] if one["event"].startswith("order.")]
    assert moments == sorted(moments)
    asked = [event for event, _ in told(whole, "stripe.")]
    assert asked == [
        "stripe.create_intent",
        "stripe.capture_intent",
        "stripe.write_tracking",
        "stripe.reverse_transfer",
    ]
    keys = [one["facts"]["idempotency_key"] for one in whole["data"] if one["event"] in asked]
    assert all(order_id in key or key.startswith("dispute:dsp_") for key in keys)
    assert len({one["actor"] for one in whole["data"]} - {None}) == 4  # all but an admin acted
