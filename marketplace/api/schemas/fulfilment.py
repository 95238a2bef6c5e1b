"""What moves an order on after it was paid: what sellers and buyers send, and what canceling would do."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.api.schemas.sellers import CancellationWindowBody
from marketplace.orders.cancellation import CancellationTerms, Effect
from marketplace.orders.sessions import Appointment, Party
from marketplace.orders.shipments import Shipment
from marketplace.orders.shipping import Parcel
from marketplace.orders.totals import QUANTITY_LIMIT, Wanted

_LISTING_ID = "lst_01k9zc3v5m8q2r4t6w8y0abcde"


class ReadyLine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A line of the order, and how many of it are ready."""

    listing_id: Annotated[str, Meta(max_length=64, examples=[_LISTING_ID])]
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_LIMIT, examples=[1])]


class PreparationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is ready. A line that is not named is left out, and never captured."""

    lines: (
        Annotated[list[ReadyLine], Meta(max_length=100, description="Absent: everything is ready.")]
        | UnsetType
    ) = UNSET

    def told(self) -> list[Wanted] | None:
        """In the words of orders; None for everything."""
        if isinstance(self.lines, UnsetType):
            return None
        return [Wanted(line.listing_id, line.quantity) for line in self.lines]


class ParcelBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who carries the parcel, and the number to follow it by."""

    carrier: Annotated[str, Meta(max_length=240, examples=["DHL"])]
    tracking_number: Annotated[str, Meta(max_length=320, examples=["00340434161094042557"])]

    def told(self) -> Parcel:
        """In the words of orders."""
        return Parcel(carrier=self.carrier, tracking_number=self.tracking_number)


class ScheduleBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """When a session takes place."""

    starts_at: Annotated[datetime, Meta(tz=True, examples=["2026-11-28T09:00:00Z"])]
    duration_minutes: Annotated[int, Meta(ge=5, le=1_440, examples=[60])] = 60

    def told(self) -> Appointment:
        """In the words of orders."""
        return Appointment(starts_at=self.starts_at, lasts=timedelta(minutes=self.duration_minutes))


class AbsenceBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who did not come."""

    who: Annotated[Party, Meta(examples=["buyer"])]


class CancellationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why, in the words of whoever cancels; the other side reads it."""

    reason: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=500,
                pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
                examples=["Ordered the wrong size"],
            ),
        ]
        | UnsetType
    ) = UNSET


class ShipmentAnswer(msgspec.Struct, kw_only=True):
    """What went out, as it is known now."""

    carrier: Annotated[str, Meta(examples=["DHL"])]
    tracking_number: Annotated[str, Meta(examples=["00340434161094042557"])]
    shipped_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentAnswer":
        """As it was kept."""
        return cls(**{name: getattr(shipment, name) for name in cls.__struct_fields__})


class SessionAnswer(msgspec.Struct, kw_only=True):
    """When a session takes place."""

    starts_at: Annotated[datetime, Meta(examples=["2026-11-28T09:00:00Z"])]
    ends_at: Annotated[datetime, Meta(examples=["2026-11-28T10:00:00Z"])]


class CancellationTermsAnswer(msgspec.Struct, kw_only=True):
    """What canceling would do now, for whoever asks. Amounts are minor units of `currency`.

    `windows` are those the session was bought under; only its buyer is bound by them.
    """

    order_id: str
    effect: Annotated[
        Effect, Meta(description="Whether anything has been taken or is held.", examples=["refund"])
    ]
    currency: str
    amount_captured: int
    refund_basis_points: Annotated[
        int, Meta(description="Of what was captured. 10000 is all.", examples=[5_000])
    ]
    refund: Annotated[int, Meta(description="What would come back.", examples=[3_000])]
    session_at: datetime | None
    windows: list[CancellationWindowBody]

    @classmethod
    def of(cls, terms: CancellationTerms) -> "CancellationTermsAnswer":
        """As they stand."""
        facts = {name: getattr(terms, name) for name in cls.__struct_fields__}
        windows = [CancellationWindowBody.of(window) for window in terms.windows]
        return cls(**facts | {"windows": windows})
