"""Stripe's events over HTTP, for admins: what came, what became of it, what did not come."""

from datetime import datetime
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.moments import aware
from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.events import (
    EventAnswer,
    EventAnswerList,
    EventDetailsAnswer,
    EventReplay,
    GapReport,
    ReplayAnswer,
    UnfinishedReport,
)
from marketplace.oversight import inbox_review
from marketplace.oversight.inbox_review import EventFilter, EventState
from marketplace.paging import PageRequest
from marketplace.services import Services
from payments import event_feeds

_Word = Annotated[str | None, QueryParameter(max_length=120)]
_Moment = Annotated[
    datetime | None, QueryParameter(description="RFC 3339; UTC where it does not say.")
]


@get("/v1/admin/events", **admin("admin:read"), summary="Stripe's events")
async def list_stripe_events(
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    event_state: Annotated[EventState | None, QueryParameter(name="state")] = None,
    event_type: Annotated[
        str | None, QueryParameter(name="type", max_length=120, description="May end in `*`.")
    ] = None,
    object_id: _Word = None,
    account: _Word = None,
    received_from: _Moment = None,
    received_to: _Moment = None,
) -> EventAnswerList:
    """Everything Stripe has told, the last received first."""
    wanted = EventFilter(
        state=event_state,
        type=event_type,
        object_id=object_id,
        account=account,
        received_from=aware(received_from),
        received_to=aware(received_to),
    )
    return EventAnswerList.of(await inbox_review.list_events(wanted, page))


@get("/v1/admin/events/gaps", **admin("admin:read"), summary="Events that never came")
async def read_event_gaps(page: NamedDependency[PageRequest]) -> GapReport:
    """What Stripe's lists of events had and the inbox had not; it was stored when it was found."""
    return GapReport.of(await inbox_review.gaps(page), await event_feeds.compared())


@get("/v1/admin/events/unfinished", **admin("admin:read"), summary="Events that are not done")
async def read_unfinished_events() -> UnfinishedReport:
    """What is due, waiting or dead, counted by type, with what went wrong: how far a replay is, too."""
    return UnfinishedReport.of(await inbox_review.unfinished())


@get("/v1/admin/events/{event_id:str}", **admin("admin:read"), summary="One event of Stripe's")
async def read_stripe_event(event_id: FromPath[str]) -> EventDetailsAnswer:
    """What became of it, and what Stripe sent."""
    return EventDetailsAnswer.of(await inbox_review.event(event_id))


@post(
    "/v1/admin/events/{event_id:str}/replay",
    **admin("admin:write"),
    status_code=200,
    summary="Work on an event again",
)
async def replay_event(
    event_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> EventAnswer:
    """It is due at once, with three days to succeed. Always safe: it only says what to read at Stripe."""
    event = await inbox_review.replay(event_id, actor=principal.account_id, now=services.clock())
    return EventAnswer.of(event)


@post(
    "/v1/admin/events/replay",
    **admin("admin:write"),
    status_code=200,
    summary="Work on many events again",
)
async def replay_events(
    data: JSONBody[EventReplay],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ReplayAnswer:
    """All that fit the filter, a thousand at most, the oldest first; go on after the last of them."""
    replayed = await inbox_review.replay_many(
        data.told(),
        after=data.starting_after,
        actor=principal.account_id,
        reason=data.reason,
        now=services.clock(),
    )
    return ReplayAnswer.of(replayed)


ROUTES: list[HTTPRouteHandler] = [
    list_stripe_events,
    read_event_gaps,
    read_unfinished_events,
    read_stripe_event,
    replay_event,
    replay_events,
]
