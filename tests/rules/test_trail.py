"""The trail's assembly by itself: order, audiences, and nothing that is not theirs."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from marketplace.orders.order_states import FIRST_STEP, STEPS
from marketplace.orders.trail_entries import Audience, Material, TrailEntry
from marketplace.orders.trail_story import story
from marketplace.orders.trail_words import STEP_WORDS

NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
BUYER, OWNER, ADMIN = "acc_buyer", "acc_owner", "acc_admin"
OWN = "seller:sel_1"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def of_stripe(seconds: float) -> datetime:
    """A stamp of Stripe's: whole seconds, by another clock."""
    return at(seconds).replace(microsecond=0)


def a_step(position: int, step: str, seconds: float, actor: str = BUYER) -> dict[str, Any]:
    return {
        "position": position,
        "step": step,
        "to_status": "checkout",
        "actor": actor,
        "reason": "an operator's words",
        "occurred_at": at(seconds),
    }


def a_posting(kind: str, source: str, target: str, amount: int, seconds: float) -> dict[str, Any]:
    return {
        "id": f"pst_{kind}",
        "cause": "a cause",
        "kind": kind,
        "source": source,
        "target": target,
        "amount": amount,
        "currency": "eur",
        "payment_id": "pay_1",
        "occurred_at": of_stripe(seconds + 1),  # Stripe's clock goes before ours
        "recorded_at": at(seconds),
    }


def an_operation(kind: str, seconds: float) -> dict[str, Any]:
    return {
        "id": f"op_{kind}",
        "kind": kind,
        "subject": "pay_1",
        "idempotency_key": f"order:ord_1:{kind}",
        "state": "succeeded",
        "attempts": 1,
        "created_at": at(seconds),
        "concluded_at": at(seconds),
        "request_id": "req_1",
        "result_id": "pi_1",
        "error_code": None,
        "error_message": None,
    }


PAYMENT = {
    "id": "pay_1",
    "amount": 6000,
    "currency": "eur",
    "application_fee": 900,
    "intent_id": "pi_1",
    "charge_id": "ch_1",
    "transfer_id": "tr_1",
    "application_fee_id": "fee_1",
    "destination": "acct_1",
    "generation": 1,
    "status": "succeeded",
    "capture_before": None,
    "created_at": at(1),
}
REFUND = {
    "id": "rfd_1",
    "amount": 2000,
    "currency": "eur",
    "reason": "requested_by_customer",
    "status": "succeeded",
    "stripe_refund_id": "re_1",
    "requested_by": OWNER,
    "reverse_transfer": True,
    "return_fee": True,
    "transfer_amount": 2000,
    "fee_amount": 300,
    "failure_reason": None,
    "created_at": at(60),
    "updated_at": at(61),
}
EVENT = {
    "event_id": "evt_1",
    "account": None,
    "door": "platform",
    "type": "payment_intent.succeeded",
    "object_id": "pi_1",
    "state": "done",
    "note": None,
    "received_at": at(3),
}
PAYOUT = {
    "id": "po_1",
    "account_id": "acct_1",
    "amount": 9000,
    "carried": 3400,
    "currency": "eur",
    "status": "paid",
    "automatic": True,
    "arrival_at": at(200_000),
    "failure_code": None,
    "created_at": at(100_000),
    "updated_at": at(200_000),
}

A_DISPUTE = {
    "id": "dsp_1",
    "stripe_dispute_id": "du_1",
    "amount": 6000,
    "currency": "eur",
    "reason": "fraudulent",
    "status": "lost",
    "inquiry": False,
    "policy": "reverse",
    "evidence_due_by": at(900_000),
    "evidence_submitted_at": at(80),
    "amount_withdrawn": 6000,
    "amount_reinstated": 0,
    "cost": 1500,
    "opened_at": of_stripe(73),
    "closed_at": at(90),
}
A_MOVEMENT = {
    "id": "mvt_1",
    "kind": "reversal",
    "amount": 3400,
    "currency": "eur",
    "cause": "dispute:dsp_1",
    "status": "succeeded",
    "stripe_id": "trr_1",
    "failure_code": None,
    "updated_at": at(70),
}


def an_attempt(outcome: str, seconds: float, reason: str | None = None) -> dict[str, Any]:
    return {
        "id": f"att_{outcome}",
        "reference": "ch_1",
        "outcome": outcome,
        "reason": reason,
        "stripe_code": "card_declined",
        "decline_code": "stolen_card",
        "advice_code": "do_not_try_again",
        "card_brand": "visa",
        "card_last4": "4242",
        "request_id": "req_2",
        "occurred_at": of_stripe(seconds),
    }


def a_life() -> Material:
    """Placed, declined, paid, refunded in part, paid out."""
    return Material(
        order={
            "buyer_id": BUYER,
            "owner_id": OWNER,
            "seller_id": "sel_1",
            "currency": "eur",
            "total": 6000,
            "service_fee": 0,
            "fee_rule_id": "sessions",
            "fee_schedule_id": "fsc_1",
            "schedule_version": 1,
            "fee_working": '{"fee": 900}',
        },
        lines=[
            {
                "listing_id": "lst_1",
                "title": "An hour",
                "unit_amount": 6000,
                "quantity": 1,
                "amount": 6000,
            }
        ],
        steps=[
            a_step(0, "placed", 0),
            a_step(1, "checkout_begun", 1),
            a_step(2, "captured", 3),
            a_step(3, "refund_asked", 60, OWNER),
            a_step(4, "refunded", 61, OWNER),
        ],
        changes=[],
        payments=[PAYMENT],
        attempts=[an_attempt("declined", 2, "card_declined"), an_attempt("captured", 3)],
        operations=[an_operation("create_intent", 1), an_operation("create_refund", 60)],
        postings=[
            a_posting("processing_cost", "platform:fees", "stripe:processing", 204, 3),
            a_posting("application_fee", OWN, "platform:fees", 900, 3),
            a_posting("capture", "buyers", OWN, 6000, 3),
            a_posting("refund", OWN, "buyers", 2000, 61),
            a_posting("fee_refund", "platform:fees", OWN, 300, 61),
        ],
        refunds=[REFUND],
        movements=[],
        fee_returns=[],
        disputes=[],
        debts=[],
        payouts=[PAYOUT],
        shipments=[],
        events=[EVENT],
    )


def events_of(entries: list[TrailEntry]) -> list[str]:
    return [one.event for one in entries]


def test_an_admin_reads_all_of_it_from_price_to_payout() -> None:
    assert events_of(story(a_life(), Audience.ADMIN)) == [
        "order.placed",
        "order.checkout_begun",
        "stripe.create_intent",
        "payment.planned",
        "attempt.declined",
        "attempt.captured",
        "books.capture",
        "books.application_fee",
        "books.processing_cost",
        "order.captured",
        "webhook.payment_intent.succeeded",
        "order.refund_asked",
        "refund.asked",
        "stripe.create_refund",
        "books.refund",
        "books.fee_refund",
        "refund.succeeded",
        "order.refunded",
        "payout.made",
        "payout.paid",
    ]


def test_a_buyer_reads_of_their_payment_and_their_refund() -> None:
    entries = story(a_life(), Audience.BUYER)
    assert events_of(entries) == [
        "order.placed",
        "order.checkout_begun",
        "attempt.declined",
        "attempt.captured",
        "books.capture",
        "order.captured",
        "refund.asked",
        "refund.succeeded",
    ]
    assert all(one.stripe_ids == {} for one in entries)
    assert {one.actor for one in entries} <= {"buyer", "seller", None}


def test_a_sellers_own_legs_are_signed_and_sum_to_what_is_paid_out() -> None:
    entries = story(a_life(), Audience.SELLER)
    legs = [one.amount for one in entries if one.event.startswith("books.")]
    assert legs == [6000, -900, -2000, 300]
    [made, _] = [one for one in entries if one.event.startswith("payout.")]
    assert made.amount == sum(leg for leg in legs if leg is not None) == 3400


@pytest.mark.parametrize("audience", [Audience.BUYER, Audience.SELLER])
def test_operators_words_are_in_no_other_story(audience: Audience) -> None:
    told = msgspec.json.encode(story(a_life(), audience)).decode()
    for word in (
        "an operator's words",
        "do_not_try_again",
        "stolen_card",
        "req_",
        "idempotency_key",
        "webhook.",
        "pi_1",
        "fee_working",
        "204",
        ADMIN,
        OWNER,
    ):
        assert word not in told, word


def test_the_same_rows_are_the_same_story_in_whatever_order_they_come() -> None:
    life, chance = a_life(), random.Random(11)
    told = story(life, Audience.ADMIN)
    for _ in range(50):
        mixed = {
            name: chance.sample(list(rows), len(rows))
            for name in life.__struct_fields__
            if name not in ("order", "steps") and (rows := getattr(life, name))
        }
        assert story(msgspec.structs.replace(life, **mixed), Audience.ADMIN) == told


def test_steps_of_one_second_keep_their_order() -> None:
    steps = ["placed", "checkout_begun", "expiry_asked", "expired", "captured_late", "refund_asked"]
    steps += ["refunded", "refund_asked", "refunded", "canceled"]
    rows = [a_step(position, step, 0) for position, step in enumerate(steps)]
    life = msgspec.structs.replace(a_life(), steps=rows, attempts=[], operations=[])
    told = [e for e in events_of(story(life, Audience.ADMIN)) if e.startswith("order.")]
    assert told == [f"order.{step}" for step in steps]


def test_what_was_learned_late_stands_where_it_happened() -> None:
    late = a_posting("capture", "buyers", OWN, 6000, 3) | {"recorded_at": at(7200)}
    life = msgspec.structs.replace(a_life(), postings=[late])
    told = events_of(story(life, Audience.SELLER))
    assert told.index("books.capture") < told.index("refund.asked")


def test_a_refund_that_the_platform_bore_is_no_leg_of_the_sellers() -> None:
    borne = a_posting("refund", "platform:refunds", "buyers", 2000, 61)
    life = msgspec.structs.replace(a_life(), postings=[borne])
    assert "books.refund" not in events_of(story(life, Audience.SELLER))
    assert "books.refund" in events_of(story(life, Audience.ADMIN))


def test_a_reserve_is_taken_from_the_sellers_main_account() -> None:
    kept = a_posting("reserve", OWN, f"{OWN}:reserve", 700, 61)
    freed = a_posting("reserve_released", f"{OWN}:reserve", OWN, 700, 62)
    other = a_posting("transfer", "platform:recovered", "seller:sel_10", 5, 62)
    life = msgspec.structs.replace(a_life(), postings=[kept, freed, other])
    told = [one for one in story(life, Audience.SELLER) if one.event.startswith("books.")]
    assert [(one.event, one.amount) for one in told] == [
        ("books.reserve", -700),
        ("books.reserve_released", 700),
    ]


def test_a_dispute_is_opened_before_what_it_takes() -> None:
    """Stripe's clock goes seconds before ours, and the reversal is a movement like any other."""
    taken = a_posting("transfer_reversal", OWN, "platform:recovered", 3400, 70)
    life = msgspec.structs.replace(
        a_life(),
        steps=[*a_life().steps, a_step(5, "disputed", 70, "stripe")],
        disputes=[A_DISPUTE],
        movements=[A_MOVEMENT],
        operations=[an_operation("reverse_transfer", 70) | {"subject": "mvt_1"}],
        postings=[taken | {"cause": "mvt_1:moved"}],
        payouts=[],
        debts=[
            {
                "id": "dbt_1",
                "amount": 10,
                "currency": "eur",
                "cause": "dispute:dsp_1",
                "amount_settled": 0,
                "amount_written_off": 0,
                "created_at": at(70),
                "closed_at": None,
            }
        ],
    )
    told = events_of(story(life, Audience.ADMIN))
    assert told[told.index("dispute.opened") :] == [
        "dispute.opened",
        "stripe.reverse_transfer",
        "books.transfer_reversal",
        "transfer.reversed",
        "order.disputed",
        "debt.opened",
        "dispute.answered",
        "dispute.closed",
    ]
    bought = events_of(story(life, Audience.BUYER))
    assert bought[-2:] == ["dispute.opened", "dispute.closed"]
    assert "dispute.answered" in events_of(story(life, Audience.SELLER))


def test_an_entry_knows_nothing_of_what_came_after_it() -> None:
    failed = REFUND | {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    back = PAYOUT | {"status": "failed", "failure_code": "account_closed"}
    life = msgspec.structs.replace(
        a_life(), refunds=[failed], payouts=[back], disputes=[A_DISPUTE], attempts=[]
    )
    for audience in Audience:
        facts = {one.event: one.facts for one in story(life, audience)}
        assert "failure_reason" not in facts["refund.asked"]
        assert facts["refund.failed"]["failure_reason"] == "lost_or_stolen_card"
        assert "status" not in facts["refund.asked"]
        assert not {"status", "amount_reinstated"} & set(facts["dispute.opened"])
    assert facts["dispute.closed"]["status"] == "lost"
    assert "failure_code" not in facts["payout.made"]
    assert facts["payout.failed"]["failure_code"] == "account_closed"


def test_what_was_taken_back_says_what_for() -> None:
    for cause, words in (
        ("refund:rfd_1", "Taken back for a refund"),
        ("dispute:dsp_1+1", "Taken back for a disputed payment"),
        ("debt:dbt_1:pay_1", "Taken back for a debt"),
        ("made at Stripe", "Taken back from a transfer"),
    ):
        taken = a_posting("transfer_reversal", OWN, "platform:recovered", 3400, 70)
        life = msgspec.structs.replace(
            a_life(),
            movements=[A_MOVEMENT | {"cause": cause}],
            postings=[taken | {"cause": "mvt_1:moved"}],
        )
        [told] = [one for one in story(life, Audience.SELLER) if one.event.startswith("books.")]
        assert told.summary == words


def test_an_inquiry_ends_in_plain_words() -> None:
    asked = A_DISPUTE | {"status": "warning_closed", "inquiry": True}
    told = story(msgspec.structs.replace(a_life(), disputes=[asked]), Audience.BUYER)
    assert [one.summary for one in told if one.event.startswith("dispute.")] == [
        "The buyer's bank inquires",
        "The bank's inquiry ended without a dispute",
    ]


def test_prices_are_told_with_the_cart_they_were_of() -> None:
    changed = {
        "id": "chg_1",
        "version": 2,
        "cart": msgspec.json.encode({"lines": a_life().lines, "fee": {"fee": 900}}).decode(),
        "total": 6000,
        "application_fee": 900,
        "state": "applied",
        "reason": None,
        "asked_by": BUYER,
        "created_at": at(1),
        "concluded_at": at(1),
    }
    life = msgspec.structs.replace(a_life(), changes=[changed])
    placed, *others = story(life, Audience.BUYER)
    assert "lines" not in placed.facts
    [applied] = [one for one in others if one.event == "cart.applied"]
    assert applied.facts["lines"][0]["unit_amount"] == 6000
    assert "application_fee" not in applied.facts


def test_every_step_has_words() -> None:
    assert set(STEP_WORDS) == {*STEPS, FIRST_STEP}
