"""Lines as buyers ask for them: in orders, carts that change, and checkout groups."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from marketplace.orders.totals import Wanted

ORDER_ID: Final = "ord_01k9zc3v5m8q2r4t6w8y0abcde"
LISTING_ID: Final = "lst_01k9zc3v5m8q2r4t6w8y0abcde"


class WantedLine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A listing and how many of it. The price is not the buyer's to say."""

    listing_id: Annotated[str, Meta(max_length=64, examples=[LISTING_ID])]
    quantity: Annotated[int, Meta(examples=[1])]


def told(lines: Sequence[WantedLine]) -> list[Wanted]:
    """In the words of orders."""
    return [Wanted(line.listing_id, line.quantity) for line in lines]
