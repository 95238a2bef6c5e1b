"""What people are told about their own account."""

from datetime import datetime

from marketplace.messages.outbox import tell
from payments.database import value


async def tell_password_changed(account_id: str, *, cause: str, now: datetime) -> None:
    """Tell the person that another password holds, and how many API keys go on working.

    Raises NoTransaction.
    """
    api_keys = await value(
        "SELECT count(*) FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > $2)",
        account_id,
        now,
    )
    await tell(
        kind="password_changed",
        account_id=account_id,
        subject_id=account_id,
        cause=cause,
        facts={"changed_at": now, "api_keys": api_keys or None},
        now=now,
    )
