"""A coach's days: a time is set and moved, people come or do not, and canceling has a price known before."""

from datetime import datetime, timedelta
from typing import Any

from tests.stories.town import Person, Town


async def _passes(town: Town, *people: Person, **time: float) -> None:
    await town.passes(**time)
    for person in people:
        await town.signs_in(person)


async def _schedules(town: Town, coach: Person, order_id: str, **ahead: float) -> Any:
    starts_at = (town.clock() + timedelta(**ahead)).isoformat()
    body = {"starts_at": starts_at, "duration_minutes": 60}
    return await coach.post(f"/v1/orders/{order_id}/schedule", body)


async def _sells(town: Town, admin: Person) -> Person:
    """A coach, approved by an admin who may have been signed out by the time that passed."""
    await town.signs_in(admin)
    return await town.seller("coach", admin=admin)


async def _steps(person: Person, order_id: str) -> list[str]:
    history = (await person.get(f"/v1/orders/{order_id}/history"))["data"]
    return [step["step"] for step in history]


async def test_a_session_is_set_moved_held_and_complete_by_itself(
    town: Town, admin: Person
) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await buyer.pays(await town.lists(coach))
    path = f"/v1/orders/{order_id}"
    assert (await buyer.get(path))["session"] is None
    first = await _schedules(town, coach, order_id, days=3)
    moved = await _schedules(town, coach, order_id, days=4)
    assert moved["session"] != first["session"]
    session = (await buyer.get(path))["session"]
    starts_at, ends_at = (
        datetime.fromisoformat(session["starts_at"]),
        datetime.fromisoformat(session["ends_at"]),
    )
    assert ends_at - starts_at == timedelta(hours=1)
    assert await buyer.refused("POST", f"{path}/completion") == (409, "completion_too_early")
    assert (await buyer.refused("POST", f"{path}/schedule", {"starts_at": session["starts_at"]}))[
        1
    ] == "seller_only"

    await _passes(town, coach, buyer, days=5)
    assert (await buyer.get(path))["status"] == "paid", "the buyer has a day to object"
    await _passes(town, coach, buyer, hours=2)
    assert (await buyer.get(path))["status"] == "completed"
    assert (await _steps(coach, order_id))[-3:] == [
        "session_scheduled",
        "session_scheduled",
        "completed",
    ]
    assert await buyer.refused("POST", f"{path}/cancellation") == (409, "order_step_refused")


async def test_a_buyer_who_says_it_took_place_completes_it(town: Town, admin: Person) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await buyer.pays(await town.lists(coach))
    await _schedules(town, coach, order_id, hours=2)
    await _passes(town, buyer, hours=3)
    assert (await buyer.post(f"/v1/orders/{order_id}/completion"))["status"] == "completed"


async def test_what_a_cancellation_costs_is_known_before_and_charged_so(
    town: Town, admin: Person
) -> None:
    coach = await _sells(town, admin)
    listing = await town.lists(coach, unit_amount=6_000)
    for hours, share, refund in ((30, 10_000, 6_000), (20, 5_000, 3_000), (0, 0, 0)):
        buyer = await town.arrives("buyer")
        order_id = await buyer.pays(listing)
        await _schedules(town, coach, order_id, hours=30 + hours)
        await _passes(town, coach, buyer, hours=30)
        path = f"/v1/orders/{order_id}/cancellation"
        terms = await buyer.get(path)
        assert (terms["refund_basis_points"], terms["refund"]) == (share, refund)
        assert terms["windows"][0] == {"hours_before": 24, "refund_basis_points": 10_000}
        assert (await coach.get(path))["refund"] == 6_000, (
            "a coach who cancels gives all of it back"
        )
        canceled = await buyer.post(path, {"reason": "I am ill"})
        assert canceled["status"] == "canceled"
        assert canceled["payment"]["amount_refunded"] == refund


async def test_a_coachs_own_windows_hold_for_orders_placed_under_them(
    town: Town, admin: Person
) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    strict = [
        {"hours_before": 48, "refund_basis_points": 8_000},
        {"hours_before": 24, "refund_basis_points": 2_500},
    ]
    profile = f"/v1/sellers/{coach.seller_id}"
    await coach.call("PATCH", profile, {"cancellation_windows": strict})
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6_000))
    await coach.call("PATCH", profile, {"cancellation_windows": None})
    await _schedules(town, coach, order_id, hours=26 + 40)
    await _passes(town, buyer, hours=26)
    terms = await buyer.get(f"/v1/orders/{order_id}/cancellation")
    assert (terms["refund"], terms["windows"]) == (1_500, strict)


async def test_nobody_came_but_the_coach(town: Town, admin: Person) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await buyer.pays(await town.lists(coach))
    await _schedules(town, coach, order_id, hours=26)
    path = f"/v1/orders/{order_id}/no-show"
    assert await coach.refused("POST", path, {"who": "buyer"}) == (409, "session_not_started")
    await _passes(town, coach, buyer, hours=26, minutes=16)
    assert await buyer.refused("POST", path, {"who": "buyer"}) == (403, "seller_only")
    missed = await coach.post(path, {"who": "buyer"})
    assert (missed["status"], missed["payment"]["amount_refunded"]) == ("completed", 0)


async def test_the_coach_did_not_come_and_all_of_it_goes_back(town: Town, admin: Person) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await buyer.pays(await town.lists(coach, unit_amount=6_000))
    await _schedules(town, coach, order_id, hours=2)
    await _passes(town, coach, buyer, hours=2, minutes=16)
    failed = await buyer.post(f"/v1/orders/{order_id}/no-show", {"who": "seller"})
    assert (failed["status"], failed["payment"]["amount_refunded"]) == ("canceled", 6_000)
    assert (await _steps(buyer, order_id))[-5:] == [
        "seller_absent",
        "cancellation_asked",
        "refund_asked",
        "refunded",
        "canceled",
    ]


async def test_a_refund_that_stripe_has_not_answered_is_shown_as_on_its_way(
    town: Town, admin: Person
) -> None:
    coach, buyer = await _sells(town, admin), await town.arrives("buyer")
    order_id = await buyer.pays(await town.lists(coach))
    path = f"/v1/orders/{order_id}"
    await town.fault(fault="lost_before", method="POST", path="/v1/refunds", times=1)
    answer = await buyer.call("POST", f"{path}/cancellation", key="one")
    assert answer.status_code == 503, answer.text
    order = await buyer.get(path)
    assert (order["status"], order["canceling"]) == ("paid", True)
    assert await coach.refused(
        "POST", f"{path}/schedule", {"starts_at": (town.clock() + timedelta(days=1)).isoformat()}
    ) == (409, "cancellation_under_way")
    await _passes(town, buyer, minutes=2)
    order = await buyer.get(path)
    assert (order["status"], order["canceling"]) == ("canceled", False)
    assert order["payment"]["amount_refunded"] == order["total"]
