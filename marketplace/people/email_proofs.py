"""Proof that a person reads what is mailed to their address: a link is mailed at sign-up and when asked for.

Nothing waits for it here: the account says when it was proved, and who builds on it may ask.
"""

from datetime import datetime

from marketplace.messages.outbox import tell
from marketplace.people import mailed_links
from marketplace.people.accounts import Account, prove_email, require_credentials
from marketplace.people.errors import EmailProvedAlready
from marketplace.people.limits import PeopleLimits, take
from payments.database import transaction
from payments.events import Clock


class EmailProofs:
    """The use cases around an address."""

    def __init__(self, clock: Clock, limits: PeopleLimits) -> None:
        self._clock, self._limits = clock, limits

    async def ask(self, account_id: str) -> None:
        """Mail the account another link. Raises EmailProvedAlready, TooManyTries, AccountNotFound."""
        now = self._clock()
        account = (await require_credentials(account_id)).account
        if account.email_proved_at is not None:
            raise EmailProvedAlready
        await take(f"proof:{account_id}", self._limits.proof_per_account, now)
        async with transaction():
            await mail_proof(account, now)

    async def prove(self, *, token: str, address: str) -> None:
        """Follow the link; following it again is the same. Raises LinkOver, TooManyTries."""
        now = self._clock()
        await take(f"link-from:{address}", self._limits.link_per_address, now)
        link = await mailed_links.follow(token, "email_proof", now)
        if link.is_used:
            return
        async with transaction():
            await mailed_links.use(link, now)
            await prove_email(link.account_id, now)


async def mail_proof(account: Account, now: datetime) -> None:
    """Have a link mailed to the account's address. Raises NoTransaction."""
    link_id = await mailed_links.open_link(account.id, account.email, "email_proof", now)
    await tell(
        kind="email_proof_asked",
        account_id=account.id,
        subject_id=link_id,
        cause=f"link:{link_id}",
        facts={"email": account.email, "expires_at": mailed_links.end_of("email_proof", now)},
        now=now,
    )
