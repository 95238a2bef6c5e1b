"""The adapter of `EventList`: Stripe's lists of v1 and v2 events."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from payments.event_list import EventPage, ListedEvent
from payments.stripe_client import StripeApi
from payments.stripe_lists import PAGE


class SnapshotPage(msgspec.Struct, frozen=True):
    """A page of `/v1/events`; each event is kept as it came."""

    data: list[dict[str, Any]]
    has_more: bool


class ThinPage(msgspec.Struct, frozen=True):
    """A page of `/v2/core/events`."""

    data: list[dict[str, Any]]
    next_page_url: str | None = None


class _Stamped(msgspec.Struct):
    id: str
    type: str
    created: int | datetime


class StripeEvents:
    """`payments.event_list.EventList` over Stripe's API."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def snapshots(
        self,
        *,
        since: datetime,
        until: datetime,
        after: str | None,
        account: str | None = None,
        undelivered: bool = False,
    ) -> EventPage:
        """GET /v1/events, for a connected account with the Stripe-Account header."""
        params: dict[str, Any] = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": PAGE,
        }
        if after is not None:
            params["starting_after"] = after
        if undelivered:
            params["delivery_success"] = False
        answer = await self._api.request("get", "/v1/events", params, account=account)
        page = answer.read(SnapshotPage)
        # Whose event it is, as a delivery says it: the account's own list need not.
        whose = {} if account is None else {"account": account}
        events = tuple(_listed(event | whose) for event in page.data)
        return EventPage(events=events, after=events[-1].id if page.has_more and events else None)

    async def thin(self, *, after: str | None) -> EventPage:
        """GET /v2/core/events. What a delivery leaves out, its data, is left out here too."""
        params: dict[str, Any] = {"limit": PAGE}
        if after is not None:
            params["page"] = after
        page = (await self._api.request("get", "/v2/core/events", params)).read(ThinPage)
        events = tuple(
            _listed({name: told for name, told in event.items() if name != "data"})
            for event in page.data
        )
        return EventPage(events=events, after=_token(page.next_page_url))


def _listed(event: dict[str, Any]) -> ListedEvent:
    stamped = msgspec.convert(event, _Stamped)
    created = stamped.created
    return ListedEvent(
        id=stamped.id,
        type=stamped.type,
        happened_at=datetime.fromtimestamp(created, UTC) if isinstance(created, int) else created,
        body=msgspec.json.encode(event),
    )


def _token(next_page_url: str | None) -> str | None:
    return None if next_page_url is None else parse_qs(urlsplit(next_page_url).query)["page"][0]
