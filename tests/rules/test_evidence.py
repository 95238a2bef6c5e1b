"""The evidence of a dispute: what was sold adds up to what was paid, and nothing else is claimed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.disputes.evidence import EvidenceFacts, build
from marketplace.orders.totals import Line

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_line(**changes: Any) -> Line:
    facts: dict[str, Any] = {
        "position": 0,
        "listing_id": "lst_1",
        "kind": "product",
        "title": "A mat",
        "category": "yoga",
        "unit_amount": 2_000,
        "quantity": 3,
        "amount": 6_000,
    }
    return Line(**(facts | changes))


def product(line: Line, service_fee: int) -> list[str]:
    facts = EvidenceFacts(
        order_id="ord_1",
        total=6_000 + service_fee,
        captured=6_000 + service_fee,
        service_fee=service_fee,
        currency="eur",
        placed_at=NOON,
        buyer_name="Ada",
        buyer_email="ada@example.com",
        seller_name="A shop",
        lines=[line],
    )
    return build(facts)["product_description"].splitlines()[1:]


@pytest.mark.parametrize(
    ("prepared", "service_fee", "told"),
    [
        (None, 170, ["3 x A mat (yoga) at 20.00 EUR", "Service fee of the platform: 1.70 EUR"]),
        (1, 170, ["1 x A mat (yoga) at 20.00 EUR", "Service fee of the platform: 0.57 EUR"]),
        (None, 0, ["3 x A mat (yoga) at 20.00 EUR"]),
    ],
)
def test_the_service_fee_is_a_line_of_its_own(
    prepared: int | None, service_fee: int, told: list[str]
) -> None:
    assert product(a_line(quantity_prepared=prepared), service_fee) == told
