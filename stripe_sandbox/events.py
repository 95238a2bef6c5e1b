"""Reading events back: what a platform catches up with when deliveries were lost."""

from fnmatch import fnmatchcase
from typing import Any

from .errors import Json, missing_resource, refused
from .routes import Call, list_of, page_of, route

MOST_TYPES = 20
KEPT_SECONDS = 30 * 24 * 3600


@route("GET", "/v1/events", for_accounts=True)
def list_events(call: Call) -> Json:
    """Snapshot events of the last thirty days, newest first."""
    wanted = _wanted_types(call.params)
    delivered = call.params.get("delivery_success")

    def passes(event: Json) -> bool:
        return (
            not _forgotten(call, event)
            and (wanted is None or any(fnmatchcase(event["type"], each) for each in wanted))
            and (delivered is None or delivered == (event["pending_webhooks"] == 0))
        )

    kept = call.world.all("event", account=call.account)
    return list_of(call, kept, "/v1/events", only=passes)


def _wanted_types(params: Json) -> list[str] | None:
    one: str | None = params.get("type")
    several: list[str] | None = params.get("types")
    if one is not None and several is not None:
        raise refused("You may only specify one of these parameters: type, types.", param="types")
    if several is not None and len(several) > MOST_TYPES:
        raise refused(f"You can filter by up to {MOST_TYPES} types.", param="types")
    return [one] if one is not None else several


@route("GET", "/v1/events/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    """One snapshot event, as it was; for thirty days."""
    event = call.world.find("event", call.args["id"], account=call.account)
    if _forgotten(call, event):
        raise missing_resource("event", event["id"])
    return event


def _forgotten(call: Call, event: Json) -> bool:
    return bool(event["created"] < call.world.now() - KEPT_SECONDS)


@route("GET", "/v2/core/events/{id}")
def retrieve_thin(call: Call) -> Json:
    """One v2 event with its data."""
    return _described(call.world.find("v2.core.event", call.args["id"]))


@route("GET", "/v2/core/events")
def list_thin(call: Call) -> Json:
    """v2 events, newest first, of one object if asked."""
    about, types = call.params.get("object_id"), call.params.get("types")
    chosen = [
        _described(event)
        for event in call.world.all("v2.core.event")
        if (about is None or event.get("related_object", {}).get("id") == about)
        and (types is None or event["type"] in types)
    ]
    return page_of(call, chosen)


def _described(event: Json) -> dict[str, Any]:
    """Without the fields that are there only when they have a value."""
    return {k: v for k, v in event.items() if v is not None and v != {}}
