"""Whom a paper is for: the seller's name and address, as they are known at the moment of issue."""

from collections.abc import Sequence

import msgspec

from marketplace.tax.details import TaxDetails
from payments.database import rows


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A seller as printed on their papers. Without tax details: the shop's name and country only."""

    name: str
    shop: str
    country: str
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    vat_number: str | None = None


async def parties(sellers: Sequence[str]) -> dict[str, tuple[str, Party]]:
    """By seller: whose account it is, and the party."""
    found = await rows(
        "SELECT s.id, s.account_id, s.display_name, s.country, t.details FROM sellers s "
        "LEFT JOIN seller_tax_details t ON t.seller_id = s.id WHERE s.id = ANY($1::text[])",
        list(sellers),
    )
    return {
        each["id"]: (
            each["account_id"],
            _party(each["display_name"], each["country"], each["details"]),
        )
        for each in found
    }


def _party(shop: str, country: str, told: str | None) -> Party:
    if told is None:
        return Party(name=shop, shop=shop, country=country)
    details = msgspec.json.decode(told, type=TaxDetails)
    return Party(
        name=details.name,
        shop=shop,
        country=details.country,
        line1=details.line1,
        line2=details.line2,
        postal_code=details.postal_code,
        city=details.city,
        vat_number=details.vat_number,
    )
