"""Answering a dispute: evidence that is staged or submitted, or giving up.

As in Stripe's test mode, the evidence's `uncategorized_text` decides: `winning_evidence`,
`losing_evidence`, and for an inquiry `escalate_inquiry_evidence`. The answer to the submission
still says `under_review`; the decision comes right after it. There are no files here, so only
texts can be sent.
"""

from collections.abc import Callable

from .dispute_shapes import FILES
from .disputes import UNANSWERED, escalate, lose, move, require_open, win
from .errors import Json, missing_resource, refused
from .routes import Call, list_of, route
from .updates import change, merged
from .world import World, public

MOST_CHARACTERS = 150_000
"""Of all evidence together. Source: https://docs.stripe.com/api/disputes/update."""


@route("GET", "/v1/disputes", for_accounts=True)
def list_disputes(call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    kept = call.world.all("dispute", account=call.account)
    return list_of(call, kept, "/v1/disputes", filters=filters)


@route("GET", "/v1/disputes/{id}", for_accounts=True)
def retrieve(call: Call) -> Json:
    return call.world.find("dispute", call.args["id"], account=call.account)


@route("POST", "/v1/disputes/{id}", for_accounts=True)
def update(call: Call) -> Json:
    """Stage evidence (`submit=false`), or send it to the bank: once, and in time.

    Metadata can be changed at any time, and by itself it submits nothing.
    """
    world = call.world
    dispute = world.find("dispute", call.args["id"], account=call.account)
    given, submit = call.params.get("evidence"), call.params.get("submit")
    if given is None and not submit:
        change(call, dispute, {}, "charge.dispute.updated")
        return dispute
    _require_answerable(dispute)
    evidence = _together(dispute, given or {})
    metadata = dispute["metadata"]
    if "metadata" in call.params:
        metadata = merged(metadata, call.params["metadata"])
    details = {**dispute["evidence_details"], "has_evidence": _has_evidence(evidence)}
    status = dispute["status"]
    if submit is not False:
        details["submission_count"] += 1
        details["submission_method"] = "manual"
        status = status.replace("needs_response", "under_review")
    move(
        world,
        dispute,
        status,
        "charge.dispute.updated",
        evidence=evidence,
        evidence_details=details,
        metadata=metadata,
    )
    answer: Json = public(dispute)
    if submit is not False:
        _decide(world, dispute)
    return answer


def _require_answerable(dispute: Json) -> None:
    require_open(dispute)
    if dispute["status"] not in UNANSWERED:
        raise refused(f"Evidence for dispute {dispute['id']} was already submitted.")
    if dispute["evidence_details"]["past_due"]:
        raise refused(f"The time to submit evidence for dispute {dispute['id']} is over.")


def _together(dispute: Json, given: Json) -> Json:
    """The evidence that was staged, with what is given now."""
    for name in FILES:
        if given.get(name):
            raise missing_resource(
                "file upload", given[name], param=f"evidence[{name}]", status=400
            )
    evidence = {**dispute["evidence"], **given}
    if sum(len(text) for text in evidence.values() if isinstance(text, str)) > MOST_CHARACTERS:
        raise refused(
            f"The evidence of a dispute can have up to {MOST_CHARACTERS} characters in total.",
            param="evidence",
        )
    return evidence


def _has_evidence(evidence: Json) -> bool:
    known = ("customer_email_address", "customer_name", "enhanced_evidence")
    return any(text for name, text in evidence.items() if name not in known)


DECISIONS: dict[str, Callable[[World, Json], None]] = {
    "winning_evidence": win,
    "losing_evidence": lose,
    "escalate_inquiry_evidence": escalate,
}


def _decide(world: World, dispute: Json) -> None:
    """What the bank makes of a text that decides; it ignores one that does not fit the case."""
    text = dispute["evidence"]["uncategorized_text"]
    decision = DECISIONS.get(text or "")
    inquiry = dispute["status"].startswith("warning_")
    if decision is None or (decision is escalate and not inquiry):
        return
    if decision is win and inquiry:
        decision = lose  # an inquiry that convinced the bank is closed, there is nothing to win
    decision(world, dispute)


@route("POST", "/v1/disputes/{id}/close", for_accounts=True)
def close(call: Call) -> Json:
    """Give up: the buyer keeps the money."""
    dispute = call.world.find("dispute", call.args["id"], account=call.account)
    lose(call.world, dispute)
    return dispute
