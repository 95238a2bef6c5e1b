"""How errors of orders are told."""

from marketplace.api.problem_answers import NOT_FOUND, Answer, Table
from marketplace.orders import errors as orders
from marketplace.orders import fulfilment_errors as fulfilment

ORDERS: Table = {
    orders.OrderNotFound: Answer(404, "order_not_found", NOT_FOUND),
    orders.OrderStepRefused: Answer(
        409,
        "order_step_refused",
        "The order's status does not allow this",
        ("order_status", "step"),
    ),
    orders.PaidAlready: Answer(
        409,
        "order_paid",
        "The order was paid meanwhile: cancel again, and the money goes back",
        ("order_id",),
    ),
    orders.HoldLapsing: Answer(
        409,
        "hold_lapsing",
        "The bank's hold ends too soon to capture safely",
        ("order_id", "capture_before"),
    ),
    orders.RefundLinesRefused: Answer(
        422,
        "refund_lines_refused",
        "These lines cannot be refunded",
        ("why", "listing_id", "refundable"),
    ),
    orders.RefundPolicyForAdmins: Answer(
        403, "refund_policy_for_admins", "Only an admin says who bears a refund", ("order_id",)
    ),
    orders.OwnOrderDecision: Answer(
        403,
        "own_order_decision",
        "Nobody decides about an order they bought or sell themself",
        ("order_id",),
    ),
    orders.RefundNeedsApproval: Answer(
        409,
        "refund_needs_approval",
        "So much is refunded by two admins: ask for an approval",
        ("order_id", "amount", "limit", "currency"),
    ),
    orders.RefundPolicyRefused: Answer(
        422, "refund_policy_refused", "Nobody could be given this fee back", ("why",)
    ),
    orders.OrderKeyReused: Answer(
        422,
        "idempotency_key_reused",
        "The Idempotency-Key was used for another order",
        ("order_id",),
    ),
    orders.LinesRefused: Answer(422, "lines_refused", "These lines cannot be one order"),
    orders.NoLines: Answer(422, "no_lines", "An order has at least one line"),
    orders.TooManyLines: Answer(
        422, "too_many_lines", "An order has fewer lines", ("count", "limit")
    ),
    orders.QuantityRefused: Answer(
        422,
        "quantity_refused",
        "This quantity cannot be ordered",
        ("listing_id", "quantity", "limit"),
    ),
    orders.ListingRepeated: Answer(
        422, "listing_repeated", "A listing is named once, with its quantity", ("listing_id",)
    ),
    orders.ListingNotOffered: Answer(
        422, "listing_not_offered", "This listing is not offered", ("listing_id",)
    ),
    orders.SeveralSellers: Answer(
        422, "several_sellers", "An order has one seller: make one for each", ("seller_ids",)
    ),
    orders.SeveralCurrencies: Answer(
        422, "several_currencies", "An order has one currency: make one for each", ("currencies",)
    ),
    orders.MixedCapture: Answer(
        422, "mixed_capture", "Sessions and products cannot share an order: make one for each"
    ),
    orders.OwnListing: Answer(
        422, "own_listing", "A seller may not buy from themself", ("seller_id",)
    ),
    orders.SellerOnly: Answer(
        403, "seller_only", "Only the order's seller may do this", ("order_id",)
    ),
    orders.CheckoutOver: Answer(
        409, "checkout_over", "The time to pay this order is over", ("order_id",)
    ),
    orders.ChangeUnderWay: Answer(
        409,
        "change_under_way",
        "A change of this cart waits for Stripe's answer",
        ("order_id", "version"),
        retry_after_seconds=2,
    ),
    orders.CartFrozen: Answer(
        409,
        "cart_frozen",
        "This order is being paid: go back to the cart first",
        ("order_id", "total"),
    ),
    orders.ConfirmationUnderWay: Answer(
        409,
        "confirmation_under_way",
        "A payment is on its way: wait for its outcome",
        ("order_id", "payment_status"),
    ),
    orders.TotalChanged: Answer(
        409,
        "total_changed",
        "The order has another total now: look at it again",
        ("order_id", "shown", "shown_currency", "total", "currency"),
    ),
    orders.BoughtAlready: Answer(
        409,
        "bought_already",
        "You just bought the same: say so if you want it again",
        ("order_id", "bought_order_id"),
        'Send {{"again": true}} to buy it once more.',
    ),
    orders.MessageRefused: Answer(
        422, "message_refused", "Write something, but not a book", ("length", "limit")
    ),
    orders.FulfilmentHeld: Answer(
        409,
        "fulfilment_held",
        "The order's money does not match it: an admin has to look first",
        ("order_id", "reason"),
    ),
    orders.FulfilmentNotHeld: Answer(
        409, "fulfilment_not_held", "Nothing is in the way of this order", ("order_id",)
    ),
    orders.ShippingRefused: Answer(
        422, "shipping_refused", "Nothing can be sent to this address", ("field",)
    ),
    orders.ShippingNotNeeded: Answer(
        422, "shipping_not_needed", "Sessions are not shipped", ("order_id",)
    ),
    fulfilment.LineUnknown: Answer(
        422, "line_unknown", "The order has no such line", ("order_id", "listing_id")
    ),
    fulfilment.PreparedTooMany: Answer(
        422,
        "prepared_too_many",
        "Prepare none, or as many as were ordered at most",
        ("listing_id", "quantity", "ordered"),
    ),
    fulfilment.NothingPrepared: Answer(
        422,
        "nothing_prepared",
        "Nothing is left to capture: cancel the order instead",
        ("order_id",),
    ),
    fulfilment.PreparationUnderWay: Answer(
        409,
        "preparation_under_way",
        "The money is being captured for other lines: an order is captured once",
        ("order_id",),
    ),
    fulfilment.CancellationUnderWay: Answer(
        409,
        "cancellation_under_way",
        "The order is being canceled: the money is on its way back",
        ("order_id",),
    ),
    fulfilment.ShippedAlready: Answer(
        409,
        "order_shipped",
        "The order is on its way: ask its seller for a refund",
        ("order_id",),
    ),
    fulfilment.NotPaidFor: Answer(
        409, "not_paid_for", "No captured money is behind this order", ("order_id",)
    ),
    fulfilment.ParcelRefused: Answer(
        422,
        "parcel_refused",
        "Say who carries the parcel and how to follow it",
        ("field", "limit"),
    ),
    fulfilment.NotASession: Answer(
        409, "not_a_session", "Only sessions have a time", ("order_id",)
    ),
    fulfilment.SessionTimeRefused: Answer(
        422, "session_time_refused", "A session cannot be at this time", ("why", "limit")
    ),
    fulfilment.SessionNotStarted: Answer(
        409,
        "session_not_started",
        "Nobody can have missed the session yet",
        ("order_id", "absent_from"),
    ),
    fulfilment.CompletionTooEarly: Answer(
        409,
        "completion_too_early",
        "It is not certain yet that the buyer has what they paid for",
        ("order_id", "why", "allowed_from"),
    ),
    orders.GroupNotFound: Answer(404, "checkout_group_not_found", NOT_FOUND),
    orders.GroupTotalsChanged: Answer(
        409,
        "checkout_group_totals_changed",
        "The cart has other totals now: look at it again",
        ("group_id", "totals"),
    ),
    orders.TooManySellers: Answer(
        422, "too_many_sellers", "A cart is bought of fewer sellers at once", ("count", "limit")
    ),
    orders.GroupAbandoned: Answer(
        409, "checkout_group_abandoned", "You gave this checkout up", ("group_id",)
    ),
}
