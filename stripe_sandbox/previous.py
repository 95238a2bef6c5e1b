"""`previous_attributes` of an event: what was, of that which is no longer so.

Nested objects show only the fields that changed, and null for one that was not there before (since
API version 2015-01-26); a list that changed is shown whole (since 2017-05-25).
"""

from .errors import Json


def differences(before: Json, now: Json) -> Json:
    """The fields of `before` that have another value `now`, down to the smallest that differ."""
    return {
        name: _of_field(was, now.get(name))
        for name, was in before.items()
        if name not in now or was != now[name]
    }


def _of_field(was: object, now: object) -> object:
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return was
    added = {name: None for name in now if name not in was}
    return {**differences(was, now), **added}
