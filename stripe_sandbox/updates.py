"""How an update changes an object: metadata, empty values, the event with what was before."""

import re
from typing import Any

from .errors import Json, refused
from .routes import Call

EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


def change(call: Call, obj: Json, changes: Json, event: str) -> None:
    """Apply changes and the call's metadata to an object; emit the event if anything differs."""
    if "metadata" in call.params:
        changes = {**changes, "metadata": merged(obj["metadata"], call.params["metadata"])}
    previous = {n: obj.get(n) for n, value in changes.items() if obj.get(n) != value}
    obj.update(changes)
    if previous:
        call.world.emit(event, obj, account=call.account, previous_attributes=previous)


def merged(metadata: Json | None, given: Any) -> Json:
    """Metadata after an update: an empty value removes its key, an empty whole removes all."""
    if not given:
        return {}
    both = {**(metadata or {}), **given}
    return {name: value for name, value in both.items() if value != ""}


def require_email(params: Json, name: str) -> None:
    """400 `email_invalid` when the parameter is given and is no e-mail address."""
    email = params.get(name)
    if email and not EMAIL.match(email):
        raise refused(f"Invalid email address: {email[:80]}", code="email_invalid", param=name)


def unset(value: Any) -> Any:
    """`""` means "no value" in Stripe's forms."""
    return None if value == "" else value


def shipping(given: Any, kept: Json | None = None) -> Json | None:
    """Where goods go, with every field Stripe answers; `""` removes it.

    What is not given stays as it was `kept`, down to the lines of the address.
    """
    if not given:
        return None
    before = kept or {}
    names = ("carrier", "name", "phone", "tracking_number")
    return {
        "address": address(given.get("address") or {}, before.get("address")),
        **{name: unset(given.get(name, before.get(name))) for name in names},
    }


def address(given: Json, kept: Json | None = None) -> Json:
    """An address with every field Stripe answers; what is not given stays as it was `kept`."""
    before = kept or {}
    names = ("city", "country", "line1", "line2", "postal_code", "state")
    return {name: unset(given.get(name, before.get(name))) for name in names}
