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


def place_of(kind: str) -> int:
    """Where the kind stands on a statement: sales first, payouts last."""
    return list(_WORDS).index(kind) if kind in _WORDS else len(_WORDS)


def words_for(kind: str) -> str:
    """The kind in plain words; a kind without words of its own is told by its name."""
    return _WORDS.get(kind, kind.replace("_", " ").capitalize())
