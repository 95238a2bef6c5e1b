"""Disputes: what a buyer's bank takes back from the platform, and how that ends.

The money and Stripe's fee come out of the platform's balance, also for a destination charge; its
transfer is not reversed by that. An inquiry takes nothing until it escalates. What Stripe leaves
open and is decided here: the fee is 15.00, given back with a dispute that is won (as Stripe's
testing page says); evidence is due at the end of the ninth day; a dispute whose evidence was
submitted stays under review until a control, or the text of the evidence, decides it.
"""

from . import balances, schedule
from .balances import DAY_SECONDS, Fee
from .dispute_shapes import case_type, new_dispute
from .errors import Json, refused
from .fraud_warnings import no_longer_actionable
from .refund_fates import fail_pending
from .world import World, public

FEE_MINOR = 1_500
INQUIRY_CLOSES_AFTER_SECONDS = 120 * DAY_SECONDS
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
UNANSWERED = ("needs_response", "warning_needs_response")
REFUNDABLE = ("warning_needs_response", "warning_under_review", "warning_closed", "won")
"""Where a dispute leaves its charge refundable: an inquiry, and what was won."""


def open_dispute(
    world: World,
    charge: Json,
    amount: int | None = None,
    *,
    reason: str = "fraudulent",
    inquiry: bool = False,
) -> Json:
    """A buyer disputes a captured charge, all that was not refunded unless an amount is given.

    The amount may include what was refunded: banks make that mistake. Refunds under way fail, for
    the bank takes the money itself. Raises 400 for a charge without money and for more than it
    took, or than other disputes left of it.
    """
    _amount_to_dispute(world, charge, amount)  # refused before anything changes
    if not inquiry:
        fail_pending(world, charge)
    amount = _amount_to_dispute(world, charge, amount)
    dispute = world.put(new_dispute(world, charge, amount, reason=reason, inquiry=inquiry))
    charge.setdefault("_disputes", []).append(dispute["id"])
    charge["disputed"] = True
    schedule.at(world, dispute["evidence_details"]["due_by"] + 1, "dispute_due", dispute["id"])
    if inquiry:
        closes = world.now() + INQUIRY_CLOSES_AFTER_SECONDS
        schedule.at(world, closes, "inquiry_ends", dispute["id"])
        world.emit("charge.dispute.created", dispute)
    else:
        _withdraw(world, dispute)
        world.emit("charge.dispute.created", dispute)
        world.emit("charge.dispute.funds_withdrawn", dispute)
    no_longer_actionable(world, charge)
    return dispute


def _amount_to_dispute(world: World, charge: Json, amount: int | None) -> int:
    captured: int = charge["amount_captured"]
    if not charge["captured"] or charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} took no money that could be disputed.")
    disputed = sum(d["amount"] for d in disputes_of(world, charge))
    if amount is None:
        amount = min(charge["amount"] - charge["amount_refunded"], captured - disputed) or captured
    if not 1 <= amount <= captured - disputed:
        raise refused(
            f"Charge {charge['id']} took {captured}, of which {disputed} is disputed already.",
            param="amount",
        )
    return amount


def disputes_of(world: World, charge: Json) -> list[Json]:
    """The disputes of a charge, oldest first."""
    return [world.find("dispute", id) for id in charge.get("_disputes", ())]


def is_refundable(world: World, charge: Json) -> bool:
    """Whether no dispute of the charge forbids a refund."""
    return all(d["is_charge_refundable"] for d in disputes_of(world, charge))


def _withdraw(world: World, dispute: Json) -> None:
    fee = Fee(FEE_MINOR, "stripe_fee", "Dispute fee")
    taken = balances.book(
        world,
        "adjustment",
        -dispute["amount"],
        dispute["currency"],
        dispute["id"],
        fees=(fee,),
        category="dispute",
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(taken)


def _reinstate(world: World, dispute: Json, amount: int, *, with_fee: bool) -> None:
    fees = (Fee(-FEE_MINOR, "stripe_fee", "Dispute fee refund"),) if with_fee else ()
    given = balances.book(
        world,
        "adjustment",
        amount,
        dispute["currency"],
        dispute["id"],
        fees=fees,
        category="dispute_reversal",
        description=f"Chargeback reversal for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(given)


# ------------------------------------------------------------------------------- how it goes on


def move(world: World, dispute: Json, status: str, event: str, **changes: Json | bool) -> None:
    """Bring a dispute into a status and tell of it."""
    after = {**changes, "status": status, "is_charge_refundable": status in REFUNDABLE}
    before = {n: public(dispute[n]) for n, value in after.items() if dispute[n] != value}
    dispute.update(after)
    world.emit(event, dispute, previous_attributes=before)


def win(world: World, dispute: Json) -> None:
    """The bank decides for the platform: everything comes back, the fee too."""
    _require_taken(dispute)
    _reinstate(world, dispute, dispute["amount"], with_fee=True)
    move(world, dispute, "won", "charge.dispute.closed")
    world.emit("charge.dispute.funds_reinstated", dispute)


def win_in_part(world: World, dispute: Json, amount: int) -> None:
    """The bank gives a part back; Stripe calls such a dispute `lost` all the same."""
    _require_taken(dispute)
    if not 1 <= amount < dispute["amount"]:
        raise refused(
            f"A part of this dispute lies between 1 and {dispute['amount'] - 1}.", param="amount"
        )
    _reinstate(world, dispute, amount, with_fee=False)
    move(world, dispute, "lost", "charge.dispute.closed")
    world.emit("charge.dispute.funds_reinstated", dispute)


def lose(world: World, dispute: Json) -> None:
    """The bank decides for the buyer; an inquiry ends without having taken anything."""
    require_open(dispute)
    status = "warning_closed" if dispute["status"].startswith("warning_") else "lost"
    move(world, dispute, status, "charge.dispute.closed")


def close_inquiry(world: World, dispute: Json) -> None:
    """The bank asks no further."""
    _require_inquiry(dispute)
    move(world, dispute, "warning_closed", "charge.dispute.closed")


def escalate(world: World, dispute: Json) -> None:
    """An inquiry becomes a dispute: now the money is taken, and evidence is due anew."""
    _require_inquiry(dispute)
    charge = world.find("charge", dispute["charge"])
    details = new_dispute(world, charge, dispute["amount"], reason=dispute["reason"])
    schedule.at(world, details["evidence_details"]["due_by"] + 1, "dispute_due", dispute["id"])
    _withdraw(world, dispute)
    case_type(dispute, "chargeback")
    move(
        world,
        dispute,
        "needs_response",
        "charge.dispute.updated",
        evidence_details=details["evidence_details"],
    )
    world.emit("charge.dispute.funds_withdrawn", dispute)


def require_open(dispute: Json) -> None:
    """400 for a dispute that is over."""
    if dispute["status"] not in OPEN:
        raise refused(f"Dispute {dispute['id']} is already closed: it is {dispute['status']}.")


def _require_taken(dispute: Json) -> None:
    require_open(dispute)
    if dispute["status"].startswith("warning_"):
        raise refused(f"Dispute {dispute['id']} is an inquiry: no money was taken.")


def _require_inquiry(dispute: Json) -> None:
    require_open(dispute)
    if not dispute["status"].startswith("warning_"):
        raise refused(f"Dispute {dispute['id']} is not an inquiry.")


def end_inquiries(world: World, charge: Json) -> None:
    """A charge that is refunded in full has nothing left to ask about."""
    for dispute in disputes_of(world, charge):
        if charge["refunded"] and dispute["status"] in OPEN:
            close_inquiry(world, dispute)


@schedule.action("dispute_due")
def _pass_due_date(world: World, id: str) -> None:
    """Nobody answered in time: the dispute is lost, an inquiry can be answered no more."""
    dispute = world.find("dispute", id)
    details = dispute["evidence_details"]
    if dispute["status"] not in UNANSWERED or details["due_by"] >= world.now():
        return
    late = {**details, "past_due": True}
    if dispute["status"] == "needs_response":
        move(world, dispute, "lost", "charge.dispute.closed", evidence_details=late)
    else:
        move(world, dispute, dispute["status"], "charge.dispute.updated", evidence_details=late)


@schedule.action("inquiry_ends")
def _end_inquiry(world: World, id: str) -> None:
    dispute = world.find("dispute", id)
    if dispute["status"] in ("warning_needs_response", "warning_under_review"):
        close_inquiry(world, dispute)
