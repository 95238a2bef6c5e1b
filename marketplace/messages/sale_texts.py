"""What sellers read about their sales. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.messages.kinds import Kind
from marketplace.messages.templates import Text

_ORDER: Final = "/orders/{order_id}"

SALE: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "order_to_prepare": Text(
            "An order to prepare: {total}",
            (
                "{buyer} has ordered: {items}.",
                "{total} are held on their card.",
                "Prepare it before {prepare_by}: then it is canceled, or captured if you chose so.",
            ),
            "Prepare the order when you have it ready: the money is taken then.",
            _ORDER,
        ),
        "order_paid": Text(
            "You were paid {total}",
            ("{buyer} has paid {total} for {items}.",),
            "The platform's fee of {fee_amount} is taken from it.",
            _ORDER,
        ),
        "sale_not_prepared": Text(
            "Your order could not be prepared",
            (
                "Nothing was captured for {items}: you cannot be paid at the moment.",
                "The reason: {reason}.",
                "If it is not solved by {prepare_by}, the order of {total} is canceled.",
            ),
            "See what is missing on your account, solve it, and prepare the order again.",
            _ORDER,
        ),
        "deadline_reminded": Text(
            "An order waits to be prepared: {total}",
            (
                "{buyer} waits for {items}.",
                "At {prepare_by} it is canceled, or captured if you chose so.",
            ),
            "Prepare the order, or cancel it if you cannot.",
            _ORDER,
        ),
        "fulfilment_held": Text(
            "Do not fulfil order {order_id}",
            (
                "The money of this order does not match what was ordered: {items}.",
                "What we see: {reason}.",
                "Nothing may be captured, shipped or completed until people have looked at it.",
            ),
            "The platform looks into it.",
            _ORDER,
        ),
        "fulfilment_released": Text(
            "Order {order_id} can go on",
            ("The platform has looked at this order: {items}.", "You can fulfil it now."),
            None,
            _ORDER,
        ),
        "sale_missed": Text(
            "A session did not take place",
            (
                "It was said that you did not come to {items}.",
                "It was to take place on {session_at}.",
                "What {buyer} paid is given back.",
            ),
            "If this is not so, write to the platform.",
            _ORDER,
        ),
        "sale_canceled": Text(
            "An order was canceled: {total}",
            ("This order was canceled: {items}.", "The reason: {reason}."),
            "If you have not fulfilled it yet, do not.",
            _ORDER,
        ),
        "sale_lapsed": Text(
            "An order has ended unpaid: {total}",
            (
                "The hold of {total} for {items} has ended before it was captured.",
                "Nothing can be taken any more.",
            ),
            "Do not send anything.",
            _ORDER,
        ),
        "sale_refunded": Text(
            "{amount} were refunded to a buyer",
            ("{buyer} gets {amount} back of {total} for {items}.",),
            None,
            _ORDER,
        ),
        "sale_refund_failed": Text(
            "A refund of {amount} could not be delivered",
            (
                "The bank of {buyer} did not take {amount} back for {items}.",
                "What it said: {failure_reason}.",
            ),
            "The money is back in the books. The platform finds another way.",
            _ORDER,
        ),
        "disputed": Text(
            "A payment is disputed: order {order_id}",
            (
                "The buyer's bank asks for {amount} of {total} back: {items}.",
                "The bank's reason: {dispute_reason}.",
                "While the dispute is open the order cannot be refunded.",
                "Evidence is due by {evidence_due_by}.",
            ),
            "Say what you know: tracking, messages, what was agreed.",
            _ORDER,
        ),
        "dispute_evidence_due": Text(
            "Evidence is due soon: order {order_id}",
            (
                "The bank decides about {amount} without you if it hears nothing.",
                "Evidence is due by {evidence_due_by}.",
            ),
            "Complete the evidence and submit it.",
            _ORDER,
        ),
        "dispute_closed": Text(
            "A dispute was decided: order {order_id}",
            (
                "The buyer's bank has decided about {amount} of this order: {items}.",
                "Its decision: {dispute_status}.",
            ),
            None,
            _ORDER,
        ),
        "inquiry_opened": Text(
            "A buyer's bank asks about order {order_id}",
            (
                "The buyer's bank inquires about {amount} of {total}: {items}.",
                "The bank's reason: {dispute_reason}.",
                "Nothing is taken, and the order can still be refunded.",
                "Answer by {evidence_due_by}, or it may become a dispute.",
            ),
            "Say what you know, or refund the order: then the inquiry ends.",
            _ORDER,
        ),
        "inquiry_answer_due": Text(
            "A bank waits for an answer: order {order_id}",
            (
                "The buyer's bank still asks about {amount}; nothing is taken yet.",
                "Without an answer by {evidence_due_by} it may become a dispute.",
            ),
            "Answer it, or refund the order: then the inquiry ends.",
            _ORDER,
        ),
        "inquiry_closed": Text(
            "A bank's inquiry has ended: order {order_id}",
            (
                "The buyer's bank asks no more about {amount} of this order: {items}.",
                "It did not become a dispute, and nothing was taken for it.",
            ),
            None,
            _ORDER,
        ),
        "fraud_warned": Text(
            "A payment may be fraud: order {order_id}",
            (
                "The bank thinks that {total} for {items} were not paid by the card's owner.",
                "What it suspects: {fraud_type}.",
            ),
            "Do not fulfil it before you are sure. Refunding it now avoids a dispute.",
            _ORDER,
        ),
    }
)
