"""Which connected account an event of Stripe's is about. It only ever means: read it again."""

import re
from collections.abc import Mapping
from typing import Any

from payments.ids import ConnectedAccountId

_OF_SELLERS = frozenset(
    {
        "account.updated",
        "account.application.deauthorized",
        "capability.updated",
        "account.external_account.created",
        "account.external_account.updated",
        "account.external_account.deleted",
    }
)
"""Snapshot events of v1 that a seller's account can cause; they name it as their account."""

_ACCOUNT_IN_PATH = re.compile(r"/accounts/(acct_[A-Za-z0-9]+)(?:[/?]|$)")


def is_about_account(event_type: str) -> bool:
    """Whether an event of this type tells that a connected account may have changed.

    `v2.core.account.updated`, `v2.core.account[requirements].updated`,
    `v2.core.account_person.created` and their kin (thin), and a few of v1 (snapshot).
    """
    return event_type.startswith("v2.core.account") or event_type in _OF_SELLERS


def account_named(event: Mapping[str, Any]) -> ConnectedAccountId | None:
    """The account to refresh for this event (its decoded JSON), or None when it does not say.

    A thin event names it as its related object, or in the path to it (a person of the account);
    `v2.core.account_link.returned` says it only to who fetches the event, and the changes of the
    account come with events of their own.
    """
    if not is_about_account(str(event.get("type", ""))):
        return None
    related = event.get("related_object")
    if isinstance(related, Mapping):
        return _account(related.get("id")) or _in_path(related.get("url"))
    return _account(event.get("account"))


def _account(value: object) -> ConnectedAccountId | None:
    if isinstance(value, str) and value.startswith("acct_"):
        return ConnectedAccountId(value)
    return None


def _in_path(value: object) -> ConnectedAccountId | None:
    found = _ACCOUNT_IN_PATH.search(value) if isinstance(value, str) else None
    return ConnectedAccountId(found[1]) if found else None
