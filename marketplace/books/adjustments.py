"""Adjustments: what the books do not know of by themselves is posted by hand, by two admins, with a reason.

For money that was moved past this program (a transfer made in Stripe's dashboard, a price that Stripe
corrected by mail). Only accounts can be adjusted whose balance no other table accounts for: what buyers
gave, what banks got, what disputes took, and a seller's debts and reserve follow from payments, payouts,
disputes and debts, and a posting by hand would make the two contradict each other.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.books.errors import AdjustmentFault, AdjustmentRefused
from marketplace.messages import outbox
from marketplace.orders.errors import OrderNotFound
from marketplace.oversight import audit
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.sellers import records
from marketplace.sellers.profile import SellerProfile, checked_reason, require_not_own
from payments import ledger
from payments.currencies import MAXIMUM_CHARGE
from payments.database import lock_order, row, transaction
from payments.ledger import Entry, Subject, seller_account

ADJUSTMENT: Final = "ledger.adjustment"
"""What another admin approves."""
PLATFORM_ACCOUNTS: Final = (
    ledger.FEES,
    ledger.PROCESSING,
    ledger.REFUNDS_BORNE,
    ledger.RECOVERED,
    ledger.WRITTEN_OFF,
    ledger.DISPUTE_COSTS,
)
ADJUSTABLE: Final = (*PLATFORM_ACCOUNTS, seller_account("{seller_id}"))


class AdjustmentWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to move, in minor units. Whose it is, is said by an account, the order or `seller_id`."""

    source: str
    target: str
    amount: int
    currency: str
    seller_id: str | None = None
    order_id: str | None = None


class Adjustments:
    """The use cases of adjustments."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals
        approvals.register(ADJUSTMENT, self._post)

    async def ask(
        self, wish: AdjustmentWish, *, reason: str, asked_by: str, now: datetime
    ) -> ApprovalRecord:
        """Ask for an adjustment; another admin decides. One at a time waits for each order or seller.

        Raises AdjustmentRefused, SellerNotFound, OrderNotFound, OwnSellerDecision, ReasonRequired,
        ApprovalAsked.
        """
        why = checked_reason(reason)
        _require_sensible(wish)
        async with transaction():
            order = await _order(wish.order_id)
            seller = await _whose(wish, order)
            _require_currency(wish, order["currency"] if order else seller.currency)
            require_not_own(seller, asked_by)
            return await self._approvals.ask(
                action=ADJUSTMENT,
                subject=wish.order_id or seller.id,
                facts={
                    "source": wish.source,
                    "target": wish.target,
                    "amount": wish.amount,
                    "currency": wish.currency,
                    "seller_id": seller.id,
                    "order_id": wish.order_id,
                    "payment_id": order["payment_id"] if order else None,
                },
                reason=why,
                asked_by=asked_by,
                now=now,
            )

    async def _post(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction."""
        facts, actor = approval.facts, approval.decided_by or ""
        require_not_own(await records.require(facts["seller_id"]), actor)
        if facts["order_id"] is not None:
            await lock_order(facts["order_id"])
        subject = Subject(**{name: facts[name] for name in Subject.__struct_fields__})
        entry = Entry(
            cause=f"{approval.id}:adjustment",
            kind="adjustment",
            source=facts["source"],
            target=facts["target"],
            amount=facts["amount"],
            occurred_at=now,
        )
        await ledger.post(subject, [entry], now)
        await audit.record(
            actor=actor,
            action="ledger.adjusted",
            subject=approval.subject,
            after={"approval": approval.id, **facts},
            reason=approval.reason,
            now=now,
        )
        await _tell(approval, now)


async def _tell(approval: ApprovalRecord, now: datetime) -> None:
    """Tell the seller whose account it touches; of one between the platform's own accounts, nobody."""
    facts = approval.facts
    theirs = seller_account(facts["seller_id"])
    if theirs not in (facts["source"], facts["target"]):
        return
    await outbox.tell_seller(
        facts["seller_id"],
        kind="adjusted_in_favour" if facts["target"] == theirs else "adjusted_against",
        subject_id=approval.id,
        cause=f"{approval.id}:adjusted",
        facts={
            "amount": facts["amount"],
            "currency": facts["currency"],
            "reason": approval.reason,
        },
        now=now,
    )


def _refused(why: AdjustmentFault) -> AdjustmentRefused:
    return AdjustmentRefused(why, ADJUSTABLE)


def _seller_of(account: str) -> str | None:
    """Whose money an adjustable account holds; None for the platform's. Raises AdjustmentRefused."""
    if account in PLATFORM_ACCOUNTS:
        return None
    word, _, seller_id = account.partition(":")
    if word != "seller" or not seller_id or ":" in seller_id:
        raise _refused("account_not_adjustable")
    return seller_id


def _require_sensible(wish: AdjustmentWish) -> None:
    """What needs no database to be said."""
    if not 1 <= wish.amount <= MAXIMUM_CHARGE:
        raise _refused("amount")
    if wish.source == wish.target:
        raise _refused("one_account")
    if None not in (_seller_of(wish.source), _seller_of(wish.target)):
        raise _refused("two_sellers")


async def _order(order_id: str | None) -> Any:
    """The order with the payment that counts: the one that was captured, or else the last."""
    if order_id is None:
        return None
    found = await row(
        "SELECT o.seller_id, o.currency, p.id AS payment_id FROM orders o "
        "LEFT JOIN payments p ON p.order_id = o.id WHERE o.id = $1 "
        "ORDER BY p.amount_captured DESC NULLS LAST, p.id DESC LIMIT 1",
        order_id,
    )
    if found is None:
        raise OrderNotFound(order_id)
    if found["payment_id"] is None:
        raise _refused("order_not_paid")
    return found


async def _whose(wish: AdjustmentWish, order: Any) -> SellerProfile:
    """The one seller whom everything that was said names."""
    said = {
        _seller_of(wish.source),
        _seller_of(wish.target),
        wish.seller_id,
        order["seller_id"] if order else None,
    } - {None}
    if not said:
        raise _refused("seller_needed")
    if len(said) > 1:
        raise _refused("seller_differs")
    return await records.require(str(said.pop()))


def _require_currency(wish: AdjustmentWish, currency: str) -> None:
    if wish.currency != currency:
        raise _refused("currency_differs")
