"""Which charge a movement of the platform's balance belongs to.

A charge's, a refund's and a transfer's movement name the charge in their expanded source; a
transfer that was sent to a seller again has no charge behind it and names it in our metadata. A
transfer reversal only names its transfer and a fee refund its fee, so the charge is taken from
what the same page told of them, and asked for where it told nothing.
"""

from typing import Any
from urllib.parse import quote

from payments.stripe_client import StripeApi
from payments.stripe_wire import BalanceTransactionObject

# Where each kind of source names the charge it belongs to.
_CHARGE_IN = {
    "charge": "id",
    "refund": "charge",
    "dispute": "charge",
    "transfer": "source_transaction",
    "application_fee": "originating_transaction",
}
# Where each kind of source names the object that names the charge.
_PARENT_IN = {
    "transfer_reversal": ("transfer", "/v1/transfers/", "source_transaction"),
    "fee_refund": ("fee", "/v1/application_fees/", "originating_transaction"),
}


class ChargeFinder:
    """Finds charges for one walk through the balance transactions, asking for each parent once."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api
        self._charges: dict[str, str | None] = {}

    def learn(self, page: list[BalanceTransactionObject]) -> None:
        """Remember what a page tells of transfers and fees."""
        for one in page:
            source = one.source
            if isinstance(source, dict) and source.get("object") in _CHARGE_IN:
                self._charges[str(source.get("id"))] = _named(source)

    async def charge_of(self, transaction: BalanceTransactionObject) -> str | None:
        """The charge's id; None for movements that belong to none, such as payouts."""
        source = transaction.source
        if not isinstance(source, dict):
            return None
        kind = str(source.get("object"))
        if kind in _PARENT_IN:
            return await self._by_parent(source, *_PARENT_IN[kind])
        return _named(source)

    async def _by_parent(
        self, source: dict[str, Any], name: str, path: str, field: str
    ) -> str | None:
        parent = str(source.get(name))
        if parent not in self._charges:
            answer = await self._api.request("get", path + quote(parent, safe=""))
            self._charges[parent] = _id(answer.data.get(field)) or _labelled(answer.data)
        return self._charges[parent]


def _named(source: dict[str, Any]) -> str | None:
    field = _CHARGE_IN.get(str(source.get("object")))
    return (_id(source.get(field)) if field else None) or _labelled(source)


def _labelled(source: dict[str, Any]) -> str | None:
    """The charge that we wrote on a transfer ourselves (`stripe_transfers.py`)."""
    metadata = source.get("metadata")
    is_transfer = source.get("object") == "transfer" and isinstance(metadata, dict)
    return _id(metadata.get("charge_id")) if is_transfer and metadata else None


def _id(value: object) -> str | None:
    return value if isinstance(value, str) else None
