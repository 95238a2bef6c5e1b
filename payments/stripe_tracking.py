"""The adapter of `TrackingGateway`: the parcel of a Charge at Stripe."""

from typing import Any
from urllib.parse import quote

import msgspec

from payments.ids import IdempotencyKey
from payments.stripe_client import Answer, StripeApi
from payments.tracking import TrackingDraft, TrackingWritten


class _Shipping(msgspec.Struct, frozen=True):
    carrier: str | None = None
    tracking_number: str | None = None


class _Charge(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    shipping: _Shipping | None = None


class StripeTracking:
    """Stripe behind the port `payments.tracking.TrackingGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def write_tracking(self, draft: TrackingDraft, key: IdempotencyKey) -> TrackingWritten:
        """Write carrier and number beside name and address, without which Stripe takes neither."""
        answer = await self._api.request("post", _path(draft.charge_id), _shipping(draft), key=key)
        return _written(answer)

    async def read_tracking(self, charge_id: str) -> TrackingWritten:
        """What the charge shows now."""
        return _written(await self._api.request("get", _path(charge_id)))


def _shipping(draft: TrackingDraft) -> dict[str, Any]:
    recipient = msgspec.to_builtins(draft.to)
    address = {name: said for name, said in recipient.pop("address").items() if said is not None}
    shipping = {name: said for name, said in recipient.items() if said is not None}
    return {
        "shipping": {
            **shipping,
            "address": address,
            "carrier": draft.carrier,
            "tracking_number": draft.tracking_number,
        }
    }


def _written(answer: Answer) -> TrackingWritten:
    charge = answer.read(_Charge)
    shipping = charge.shipping or _Shipping()
    return TrackingWritten(
        charge_id=charge.id,
        carrier=shipping.carrier,
        tracking_number=shipping.tracking_number,
        request_id=answer.request_id,
    )


def _path(charge_id: str) -> str:
    return f"/v1/charges/{quote(charge_id, safe='')}"
