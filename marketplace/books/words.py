"""What the kinds of postings are called on a seller's statement. Pure."""

from typing import Final

_WORDS: Final = {
    "capture": "Sale",
    "application_fee": "Application fee",
    "refund": "Refund to the buyer",
    "refund_failure": "Refund that did not reach the buyer",
    "fee_refund": "Application fee returned",
    "transfer_reversal": "Taken back from a transfer",
    "transfer": "Transferred again",
    "dispute": "Disputed payment",
    "dispute_reinstated": "Disputed payment returned",
    "dispute_cost": "Cost of a dispute",
    "reserve": "Set aside for a dispute",
    "reserve_released": "No longer set aside",
    "debt": "Debt to the platform",
    "debt_settled": "Debt settled",
    "debt_written_off": "Debt written off",
    "adjustment": "Adjustment by the platform",
    "payout": "Payout to your bank",
    "payout_failure": "Payout that came back",
}

_TAKEN_BACK: Final = {
    "refund": "Taken back for a refund",
    "dispute": "Taken back for a disputed payment",
    "debt": "Taken back for a debt",
}
_SENT_AGAIN: Final = {
    "refund": "Returned: a refund did not reach the buyer",
    "dispute": "Returned from a disputed payment",
}
_BY_CAUSE: Final = {"transfer_reversal": _TAKEN_BACK, "transfer": _SENT_AGAIN}


def place_of(kind: str) -> int:
    """Where the kind stands on a statement: sales first, payouts last."""
    return list(_WORDS).index(kind) if kind in _WORDS else len(_WORDS)


def words_for(kind: str, because: str | None = None) -> str:
    """The kind in plain words; a kind without words of its own is told by its name.

    `because` is the cause of a transfer's movement (`refund:...`, `dispute:...`, `debt:...`): what it is
    of, where that is known.
    """
    known = _BY_CAUSE.get(kind, {}).get((because or "").partition(":")[0])
    return known or _WORDS.get(kind, kind.replace("_", " ").capitalize())
