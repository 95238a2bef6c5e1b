"""Looking at an older difference once more, whatever range a run is over: is it still there?"""

from datetime import UTC, datetime
from typing import Final

from payments import reconciliation_mirror as mirror
from payments.errors import StripeRejected
from payments.reconciliation_books import compare
from payments.reconciliation_chain import Chain
from payments.reconciliation_findings import Finding
from payments.reconciliation_healing import Healing

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_LISTS: Final = frozenset({"intent", "transfer", "application_fee", "refund", "dispute"})
_OF_NOBODY: Final = frozenset({"charge", "movement"})


class Review:
    """Reads the object of a difference at Stripe again, takes it in, and compares it once more."""

    def __init__(self, chain: Chain, healing: Healing) -> None:
        self._chain, self._healing = chain, healing

    async def remains(self, found: Finding, settled_before: datetime) -> bool:
        """Whether it is still there, or cannot be told. Raises NotSent, OutcomeUnknown."""
        if found.word in _OF_NOBODY:
            return await mirror.is_unexplained(found.stripe_id or "")
        if found.word in _OF_LISTS:
            try:
                left = await self._chain.again(found)
            except StripeRejected:
                return True
            return any(one.key == found.key for one in left)
        return await self._in_books(found, settled_before)

    async def _in_books(self, found: Finding, settled_before: datetime) -> bool:
        if found.payment_id is None:
            return True
        compared = await compare(
            self._healing, [found.payment_id], covered_from=_EVER, settled_before=settled_before
        )
        return any(
            one.finding.key == found.key and one.state != "healed" for one in compared.verdicts
        )
