"""Sellers' webhook endpoints, and what is delivered to them."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from marketplace.messages.delivered import DeliveryRecord, EventRecord
from marketplace.messages.endpoints import EndpointChanges, EndpointRecord, IssuedSecret
from marketplace.messages.kinds import EVENT_TYPES
from marketplace.paging import Page

_ENDPOINT_ID = "whe_01k9zc3v5m8q2r4t6w8y0abcde"
_EVENT = {
    "order_id": "ord_01k9zc3v5m8q2r4t6w8y0abcde",
    "status": "paid",
    "currency": "eur",
    "total": 6_000,
    "captured_amount": 6_000,
    "refunded_amount": 0,
    "fee_amount": 900,
}

_Url = Annotated[
    str,
    Meta(
        max_length=2000,
        description="HTTPS, at a public address.",
        examples=["https://shop.example/hooks/marketplace"],
    ),
]
_Types = Annotated[
    list[Annotated[str, Meta(max_length=60)]],
    Meta(
        max_length=len(EVENT_TYPES),
        description="Which events to deliver; none means all.",
        examples=[["order.paid", "payout.failed"]],
    ),
]
_Description = Annotated[str, Meta(max_length=200, examples=["Our warehouse"])]


class NewWebhookEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where to deliver which events."""

    url: _Url
    types: _Types = []
    description: _Description = ""


class WebhookEndpointChanges(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to change; what is absent stays as it is."""

    url: _Url | UnsetType = UNSET
    types: _Types | UnsetType = UNSET
    description: _Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    def told(self) -> EndpointChanges:
        """In the words of messages."""
        return EndpointChanges(
            url=None if self.url is UNSET else self.url,
            types=None if self.types is UNSET else tuple(self.types),
            description=None if self.description is UNSET else self.description,
            enabled=None if self.enabled is UNSET else self.enabled,
        )


class WebhookEndpointAnswer(msgspec.Struct, kw_only=True):
    """An endpoint without its secret. `disabled_reason` says who or what disabled it."""

    id: Annotated[str, Meta(examples=[_ENDPOINT_ID])]
    url: Annotated[str, Meta(examples=["https://shop.example/hooks/marketplace"])]
    types: Annotated[list[str], Meta(examples=[["order.paid", "payout.failed"]])]
    description: Annotated[str, Meta(examples=["Our warehouse"])]
    enabled: bool
    disabled_at: Annotated[datetime | None, Meta(examples=[None])]
    disabled_reason: Annotated[str | None, Meta(examples=[None])]
    secret_before_until: Annotated[
        datetime | None,
        Meta(description="Until then the secret before signs too.", examples=[None]),
    ]
    created_at: datetime

    @classmethod
    def of(cls, endpoint: EndpointRecord) -> "WebhookEndpointAnswer":
        """As it stands."""
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            types=list(endpoint.types),
            description=endpoint.description,
            enabled=endpoint.disabled_at is None,
            disabled_at=endpoint.disabled_at,
            disabled_reason=endpoint.disabled_reason,
            secret_before_until=endpoint.secret_before_until,
            created_at=endpoint.created_at,
        )


class WebhookEndpointList(msgspec.Struct, kw_only=True):
    """Every endpoint of a seller, the newest first; there are at most ten."""

    data: list[WebhookEndpointAnswer]
    has_more: bool = False


class IssuedWebhookEndpointAnswer(msgspec.Struct, kw_only=True):
    """An endpoint with its secret, which is in this answer and nowhere else."""

    endpoint: WebhookEndpointAnswer
    secret: Annotated[str, Meta(examples=["whsec_..."])]

    @classmethod
    def of(cls, issued: IssuedSecret) -> "IssuedWebhookEndpointAnswer":
        """As it was issued."""
        return cls(endpoint=WebhookEndpointAnswer.of(issued.endpoint), secret=issued.secret)

    def __repr__(self) -> str:
        """Never shows the secret."""
        return f"IssuedWebhookEndpointAnswer({self.endpoint.id})"


class TryAnswer(msgspec.Struct, kw_only=True):
    """One try to deliver. `status` is what the endpoint answered; without one, `note` says why."""

    at: datetime
    status: Annotated[int | None, Meta(examples=[503])]
    note: Annotated[str | None, Meta(examples=["it answered 503"])]


class WebhookDeliveryAnswer(msgspec.Struct, kw_only=True):
    """One event for one endpoint. `due_at` is the next try; `note` says what went wrong last."""

    id: Annotated[str, Meta(examples=["whd_01k9zc3v5m8q2r4t6w8y0abcde"])]
    endpoint_id: Annotated[str, Meta(examples=[_ENDPOINT_ID])]
    event_id: Annotated[str, Meta(examples=["evt_01k9zc3v5m8q2r4t6w8y0abcde"])]
    type: Annotated[str, Meta(examples=["order.paid"])]
    state: Annotated[str, Meta(description="due, delivered or dead", examples=["delivered"])]
    attempts: int
    due_at: datetime | None
    last_status: Annotated[int | None, Meta(examples=[200])]
    note: Annotated[str | None, Meta(examples=[None])]
    created_at: datetime
    concluded_at: datetime | None
    tries: Annotated[list[TryAnswer], Meta(description="The first one first; fifty are kept.")]

    @classmethod
    def of(cls, delivery: DeliveryRecord) -> "WebhookDeliveryAnswer":
        """As it stands."""
        tries = [TryAnswer(at=one.at, status=one.status, note=one.note) for one in delivery.tries]
        return cls(**{**msgspec.structs.asdict(delivery), "tries": tries})


class WebhookDeliveryList(msgspec.Struct, kw_only=True):
    """Deliveries, the newest first."""

    data: list[WebhookDeliveryAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[DeliveryRecord]) -> "WebhookDeliveryList":
        """One page."""
        data = [WebhookDeliveryAnswer.of(one) for one in page.data]
        return cls(data=data, has_more=page.has_more)


class SellerEventAnswer(msgspec.Struct, kw_only=True):
    """An event exactly as it is delivered."""

    id: Annotated[str, Meta(examples=["evt_01k9zc3v5m8q2r4t6w8y0abcde"])]
    type: Annotated[str, Meta(examples=["order.paid"])]
    timestamp: datetime
    data: Annotated[dict[str, Any], Meta(examples=[_EVENT])]

    @classmethod
    def of(cls, event: EventRecord) -> "SellerEventAnswer":
        """As it was published."""
        return cls(
            id=event.id,
            type=event.type,
            timestamp=event.timestamp,
            data=msgspec.json.decode(event.data),
        )


class SellerEventList(msgspec.Struct, kw_only=True):
    """Events, the newest first."""

    data: list[SellerEventAnswer]
    has_more: bool

    @classmethod
    def of(cls, page: Page[EventRecord]) -> "SellerEventList":
        """One page."""
        return cls(data=[SellerEventAnswer.of(one) for one in page.data], has_more=page.has_more)
