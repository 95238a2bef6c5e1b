"""What may be one order, and what it comes to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog.listings import Offer
from marketplace.orders.errors import (
    ListingNotOffered,
    ListingRepeated,
    MixedCapture,
    NoLines,
    OwnListing,
    QuantityRefused,
    SeveralCurrencies,
    SeveralSellers,
    TooManyLines,
)
from marketplace.orders.totals import LINES_LIMIT, QUANTITY_LIMIT, Totals, Wanted, total_up
from payments.errors import AmountNotChargeable, CurrencyUnknown

BUYER = "acc_buyer"


def offer(listing_id: str = "lst_1", **changes: object) -> Offer:
    facts: dict[str, object] = {
        "listing_id": listing_id,
        "seller_id": "sel_1",
        "owner_id": "acc_seller",
        "kind": "product",
        "title": "A mat",
        "category": "yoga",
        "unit_amount": 2_500,
        "currency": "eur",
    }
    return Offer(**{**facts, **changes})  # type: ignore[arg-type]


def priced(wanted: list[Wanted], *offers: Offer) -> Totals:
    return total_up(wanted, {each.listing_id: each for each in offers}, buyer_id=BUYER)


def test_lines_are_priced_by_the_listings_and_added_exactly() -> None:
    totals = priced(
        [Wanted("lst_2", 3), Wanted("lst_1", 1)], offer(), offer("lst_2", unit_amount=199)
    )
    assert [(line.position, line.listing_id, line.amount) for line in totals.lines] == [
        (0, "lst_2", 597),
        (1, "lst_1", 2_500),
    ]
    assert (totals.total, totals.currency, totals.seller_id) == (3_097, "eur", "sel_1")


@given(st.lists(st.tuples(st.integers(50, 9_999), st.integers(1, 20)), min_size=1, max_size=50))
def test_the_total_is_the_sum_of_its_lines(lines: list[tuple[int, int]]) -> None:
    offers = [offer(f"lst_{n}", unit_amount=unit) for n, (unit, _) in enumerate(lines)]
    wanted = [Wanted(f"lst_{n}", quantity) for n, (_, quantity) in enumerate(lines)]
    totals = priced(wanted, *offers)
    assert totals.total == sum(line.amount for line in totals.lines)
    assert totals.total == sum(unit * quantity for unit, quantity in lines)


def test_sessions_are_captured_at_checkout_and_products_when_prepared() -> None:
    assert priced([Wanted("lst_1", 1)], offer(kind="session")).capture_method == "automatic"
    assert priced([Wanted("lst_1", 1)], offer(kind="product")).capture_method == "manual"


def test_sessions_and_products_are_two_orders() -> None:
    with pytest.raises(MixedCapture):
        priced([Wanted("lst_1", 1), Wanted("lst_2", 1)], offer(), offer("lst_2", kind="session"))


def test_two_sellers_are_two_orders() -> None:
    with pytest.raises(SeveralSellers) as refusal:
        priced([Wanted("lst_1", 1), Wanted("lst_2", 1)], offer(), offer("lst_2", seller_id="sel_2"))
    assert refusal.value.seller_ids == ("sel_1", "sel_2")


def test_two_currencies_are_two_orders() -> None:
    with pytest.raises(SeveralCurrencies) as refusal:
        priced([Wanted("lst_1", 1), Wanted("lst_2", 1)], offer(), offer("lst_2", currency="usd"))
    assert refusal.value.currencies == ("eur", "usd")


def test_nobody_buys_from_themself() -> None:
    with pytest.raises(OwnListing) as refusal:
        priced([Wanted("lst_1", 1)], offer(owner_id=BUYER))
    assert refusal.value.seller_id == "sel_1"


@pytest.mark.parametrize("quantity", [-1, 0, QUANTITY_LIMIT + 1])
def test_a_quantity_has_limits(quantity: int) -> None:
    with pytest.raises(QuantityRefused) as refusal:
        priced([Wanted("lst_1", quantity)], offer())
    assert (refusal.value.quantity, refusal.value.limit) == (quantity, QUANTITY_LIMIT)


def test_the_largest_quantity_is_fine() -> None:
    assert priced([Wanted("lst_1", QUANTITY_LIMIT)], offer()).total == 2_500 * QUANTITY_LIMIT


def test_an_order_has_lines_but_not_endlessly_many() -> None:
    with pytest.raises(NoLines):
        priced([])
    many = [Wanted(f"lst_{n}", 1) for n in range(LINES_LIMIT + 1)]
    with pytest.raises(TooManyLines) as refusal:
        priced(many)
    assert refusal.value.limit == LINES_LIMIT


def test_the_same_listing_twice_is_refused() -> None:
    with pytest.raises(ListingRepeated):
        priced([Wanted("lst_1", 1), Wanted("lst_1", 2)], offer())


def test_what_is_not_offered_cannot_be_bought() -> None:
    with pytest.raises(ListingNotOffered) as refusal:
        priced([Wanted("lst_9", 1)], offer())
    assert refusal.value.listing_id == "lst_9"


@pytest.mark.parametrize(("unit_amount", "why"), [(49, "too_small"), (99_999_999, "too_large")])
def test_a_total_stripe_would_not_take_is_refused(unit_amount: int, why: str) -> None:
    quantity = 1 if why == "too_small" else 2
    with pytest.raises(AmountNotChargeable) as refusal:
        priced([Wanted("lst_1", quantity)], offer(unit_amount=unit_amount))
    assert refusal.value.why == why


def test_a_currency_stripe_does_not_know_is_refused() -> None:
    with pytest.raises(CurrencyUnknown):
        priced([Wanted("lst_1", 1)], offer(currency="xxx"))
