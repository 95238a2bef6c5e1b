"""Telling sellers what became of their connected account, in the transaction that takes it in."""

from typing import Any, Final

from connect.capability import AccountState
from connect.events import AccountChanged
from marketplace.messages import outbox
from marketplace.messages.kinds import Kind
from payments.database import value

_READY: Final = frozenset({AccountState.READY, AccountState.READY_WITH_DEADLINE})


def news_of(before: AccountState | None, after: AccountState) -> Kind | None:
    """What a change is to the seller. Who is in the midst of onboarding sees it themselves. Pure."""
    if after is AccountState.READY_WITH_DEADLINE:
        return "requirements_due"
    if after is AccountState.READY:
        return None if before in _READY else "account_ready"
    if before in (None, after):
        return None
    if before in _READY:
        return "account_restricted"
    if after is AccountState.INCOMPLETE:
        return "onboarding_needed"
    return None if after is AccountState.PENDING_REVIEW else "account_restricted"


async def react(event: AccountChanged) -> None:
    """Tell the seller and their programs; and admins, of one who could be paid and no longer can."""
    shop = await value("SELECT display_name FROM sellers WHERE id = $1", event.seller_id)
    facts: dict[str, Any] = {
        "seller_id": event.seller_id,
        "shop": shop,
        "state": event.after,
        "before": event.before,
        "missing": event.missing,
        "deadline_at": event.deadline,
    }
    change = f"{event.before}:{event.after}:{event.occurred_at.isoformat()}"
    cause = f"account:{event.account_id}:{change}"
    kind = news_of(event.before, event.after)
    if kind is not None:
        await outbox.tell_seller(
            event.seller_id,
            kind=kind,
            subject_id=event.seller_id,
            cause=cause,
            facts=facts,
            now=event.occurred_at,
        )
    if event.before in _READY and event.after not in _READY:
        await outbox.tell_admins(
            kind="seller_restricted",
            subject_id=event.seller_id,
            cause=f"{cause}:admins",
            facts=facts,
            now=event.occurred_at,
        )
    await _publish(event, cause)


async def _publish(event: AccountChanged, cause: str) -> None:
    await outbox.publish(
        event.seller_id,
        type="seller.capability_changed",
        subject_id=event.seller_id,
        cause=cause,
        data={
            "seller_id": event.seller_id,
            "connected_account_id": event.account_id,
            "before": event.before,
            "state": event.after,
            "missing": event.missing,
            "deadline": event.deadline,
        },
        now=event.occurred_at,
    )
