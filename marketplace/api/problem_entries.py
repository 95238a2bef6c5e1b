"""How the errors of the marketplace's own areas are told."""

from marketplace.api.problem_answers import NOT_FOUND, Answer, Table
from marketplace.books import errors as books
from marketplace.catalog import errors as catalog
from marketplace.fees import errors as fees
from marketplace.fees import schedule
from marketplace.messages import errors as messages
from marketplace.orders import errors as orders
from marketplace.orders import fulfilment_errors as fulfilment
from marketplace.oversight import approval_errors as approvals
from marketplace.oversight import errors as oversight
from marketplace.people import errors as people
from marketplace.sellers import errors as sellers

PEOPLE: Table = {
    people.EmailRefused: Answer(422, "email_refused", "This is not an e-mail address we can use"),
    people.NameRefused: Answer(
        422,
        "name_refused",
        "A name has visible characters only",
        ("limit",),
        "1 to {limit} characters, none of them a control character.",
    ),
    people.PasswordRefused: Answer(
        422,
        "password_refused",
        "Choose another password",
        ("why", "limit"),
        "At least 8 characters, better 15; not a common one, and not your name or e-mail.",
    ),
    people.EmailTaken: Answer(409, "email_taken", "An account with this e-mail exists"),
    people.CredentialsWrong: Answer(
        401, "credentials_wrong", "E-mail and password do not belong together"
    ),
    people.TooManyTries: Answer(
        429, "too_many_tries", "Too many tries: wait before the next", ("retry_after_seconds",)
    ),
    people.HashingBusy: Answer(
        503, "sign_in_busy", "Too many people are signing in at once", retry_after_seconds=2
    ),
    people.NotSignedIn: Answer(401, "not_signed_in", "Sign in, or send an API key", ("why",)),
    people.AccountNotFound: Answer(404, "account_not_found", "There is no such account"),
    people.ApiKeyNotFound: Answer(404, "api_key_not_found", NOT_FOUND),
    people.TooManyApiKeys: Answer(
        409, "too_many_api_keys", "Revoke a key before making another", ("limit",)
    ),
    people.ScopeRefused: Answer(
        422, "scope_refused", "You cannot give a key this scope", ("scope", "allowed")
    ),
    people.ExpiryRefused: Answer(
        422, "expiry_refused", "A key ends in the future, within the limit", ("limit_days",)
    ),
}

SELLERS: Table = {
    sellers.SellerNotFound: Answer(404, "seller_not_found", NOT_FOUND),
    sellers.SellerProfileExists: Answer(
        409, "seller_profile_exists", "This account is a seller already", ("seller_id",)
    ),
    sellers.CountryUnknown: Answer(
        422,
        "country_unknown",
        "We do not know this country",
        (),
        "ISO 3166-1, two upper-case letters.",
    ),
    sellers.SellerFactFixed: Answer(
        409, "seller_fact_fixed", "This can no longer change", ("field",)
    ),
    sellers.SellerStepRefused: Answer(
        409,
        "seller_step_refused",
        "Where the seller stands does not allow this",
        ("step", "approval", "suspended"),
    ),
    sellers.OwnSellerDecision: Answer(
        403, "own_seller_decision", "Nobody decides about their own shop"
    ),
    sellers.ReasonRequired: Answer(422, "reason_required", "Say why", ("limit",)),
    sellers.CancellationWindowsRefused: Answer(
        422,
        "cancellation_windows_refused",
        "These cancellation windows cannot be used",
        ("why", "limit"),
        "One to five, from the longest notice to the shortest, none of which refunds more than the one "
        "before it.",
    ),
    # Why is the seller's business, not the buyer's.
    sellers.SellerNotPayable: Answer(
        409,
        "seller_not_payable",
        "The seller cannot be paid now: nothing was charged",
        own_fields=("reasons",),
    ),
}

CATALOG: Table = {
    catalog.ListingNotFound: Answer(404, "listing_not_found", NOT_FOUND),
    catalog.SellerProfileMissing: Answer(
        409, "seller_profile_missing", "Open a seller profile first"
    ),
    catalog.SellerCurrencyDiffers: Answer(
        422,
        "seller_currency_differs",
        "A listing is priced in its seller's currency",
        ("currency", "sellers"),
    ),
    catalog.StockRefused: Answer(
        422, "stock_refused", "This stock does not fit the listing", ("why",)
    ),
    catalog.OutOfStock: Answer(
        409, "out_of_stock", "Not enough of this is left", ("listing_id", "available")
    ),
}

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

BOOKS: Table = {
    books.FeeReviewNotFound: Answer(
        404, "fee_not_found", "Nothing of such a payment was captured", ("payment_id",)
    ),
    books.FeeChanged: Answer(
        409,
        "fee_changed",
        "The fee is not as you saw it: look again",
        ("payment_id", "updated_at"),
    ),
    books.FeeFilterRefused: Answer(
        422,
        "fee_filter_refused",
        "This cannot be asked of fees",
        ("path", "why", "allowed"),
        "{path}: {why_words}.",
    ),
    books.StatementNotFound: Answer(
        404, "statement_not_found", "There is no statement of this month", ("month",)
    ),
    books.AdjustmentRefused: Answer(
        422,
        "adjustment_refused",
        "The books cannot be adjusted so",
        ("why", "accounts"),
        "{why_words}.",
    ),
}

MESSAGES: Table = {
    messages.WebhookEndpointNotFound: Answer(404, "webhook_endpoint_not_found", NOT_FOUND),
    messages.WebhookDeliveryNotFound: Answer(404, "webhook_delivery_not_found", NOT_FOUND),
    messages.WebhookUrlRefused: Answer(
        422, "webhook_url_refused", "We do not send webhooks there", ("why",)
    ),
    messages.WebhookTypesRefused: Answer(
        422, "webhook_types_refused", "There are no such events", ("types", "allowed")
    ),
    messages.TooManyWebhookEndpoints: Answer(
        409, "too_many_webhook_endpoints", "Remove an endpoint before making another", ("limit",)
    ),
    messages.WebhookEndpointDisabled: Answer(
        409, "webhook_endpoint_disabled", "Enable the endpoint first", ("endpoint_id",)
    ),
    messages.WebhookEndpointExists: Answer(
        409,
        "webhook_endpoint_exists",
        "You have an endpoint at this address: change its types instead",
        ("endpoint_id",),
    ),
}

APPROVALS: Table = {
    approvals.ApprovalNotFound: Answer(404, "approval_not_found", "There is no such approval"),
    approvals.ApprovalAsked: Answer(
        409, "approval_asked", "This waits for its decision already", ("approval_id",)
    ),
    approvals.ApprovalDecided: Answer(
        409, "approval_decided", "Somebody has decided already", ("approval_id", "state")
    ),
    approvals.ApprovalExpired: Answer(
        409,
        "approval_expired",
        "Nobody decided in time: ask for it anew",
        ("approval_id", "expires_at"),
    ),
    approvals.OwnApproval: Answer(
        403, "own_approval", "Another admin has to approve it", ("approval_id",)
    ),
}

FEES: Table = {
    schedule.MalformedSchedule: Answer(
        422,
        "fee_schedule_malformed",
        "These rules cannot price every order",
        ("path", "why", "rule_id", "problems"),
        "{why_words}",
    ),
    fees.FeeScheduleNotFound: Answer(
        404, "fee_schedule_not_found", "There is no such fee schedule"
    ),
    fees.FeeScheduleKept: Answer(
        409,
        "fee_schedule_kept",
        "This version cannot be retired",
        ("schedule_id", "why"),
    ),
    fees.DraftNotFound: Answer(404, "fee_draft_not_found", "There is no such draft"),
    fees.DraftStepRefused: Answer(
        409,
        "fee_draft_step_refused",
        "Where the draft stands does not allow this",
        ("draft_id", "state", "step"),
    ),
    fees.DraftChanged: Answer(
        409,
        "fee_draft_changed",
        "The draft was edited after it was read",
        ("draft_id", "revision"),
    ),
    fees.OwnFeeScheduleDecision: Answer(
        403,
        "own_fee_schedule_decision",
        "Another admin approves what you submitted or edited",
        ("draft_id",),
    ),
    fees.ReplayRefused: Answer(
        422,
        "fee_replay_refused",
        "This cannot be replayed",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    fees.ReplayNotFound: Answer(404, "fee_replay_not_found", "There is no such replay"),
    fees.ReplayStepRefused: Answer(
        409, "fee_replay_step_refused", "The replay is over", ("replay_id", "state")
    ),
    fees.FeeCreditNotFound: Answer(404, "fee_credit_not_found", "There is no such credit"),
    fees.FeeCreditRevoked: Answer(
        409, "fee_credit_revoked", "This credit was ended before", ("credit_id",)
    ),
    fees.FeeCreditNeedsApproval: Answer(
        409,
        "fee_credit_needs_approval",
        "So much is granted by two admins: ask for an approval",
        ("seller_id", "amount", "limit", "currency"),
    ),
    fees.FeeCreditRefused: Answer(
        422,
        "fee_credit_refused",
        "This credit could not be used",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    fees.NoFeeSchedule: Answer(
        503, "no_fee_schedule", "No fee schedule is in force", retry_after_seconds=60
    ),
}

OVERSIGHT: Table = {
    oversight.EventNotFound: Answer(404, "event_not_found", "There is no such event"),
    oversight.RangeRefused: Answer(
        422, "range_refused", "The range ends before it begins", ("begins", "ends")
    ),
    oversight.FilterRequired: Answer(
        422, "filter_required", "Say which ones: give a filter", ("fields",)
    ),
    oversight.OperationNotFound: Answer(404, "operation_not_found", "There is no such operation"),
    oversight.OperationConcluded: Answer(
        409,
        "operation_concluded",
        "Its outcome is known: a new try is a new operation",
        ("operation_id", "state"),
    ),
    oversight.OperationBusy: Answer(
        409,
        "operation_busy",
        "Stripe is being asked about it at this moment",
        ("operation_id",),
        retry_after_seconds=5,
    ),
    oversight.SwitchNotFound: Answer(
        404, "switch_not_found", "There is no such switch, or it has ended"
    ),
    oversight.SwitchRefused: Answer(
        422,
        "switch_refused",
        "This would switch nothing off",
        ("field", "why"),
        "{field}: {why_words}.",
    ),
    oversight.SwitchOffAlready: Answer(
        409, "switched_off_already", "The same is switched off already", ("switch_id",)
    ),
    oversight.SwitchedOff: Answer(
        503,
        "switched_off",
        "This is switched off for now: nothing was done",
        ("operation", "scope", "reason", "until"),
        "{reason}",
    ),
    oversight.FrozenAlready: Answer(
        409, "seller_frozen_already", "The seller's money stands still already", ("seller_id",)
    ),
    oversight.NotFrozen: Answer(
        409, "seller_not_frozen", "The seller's money does not stand still", ("seller_id",)
    ),
    oversight.ReconciliationNotFound: Answer(
        404, "reconciliation_run_not_found", "There is no such run"
    ),
    oversight.ReconciliationRefused: Answer(
        422,
        "reconciliation_refused",
        "This range cannot be compared",
        ("field", "why"),
        "{field}: {why_words}.",
    ),
    oversight.ReconciliationOver: Answer(
        409, "reconciliation_run_over", "The run is over", ("run_id", "state")
    ),
    oversight.CaseNotFound: Answer(404, "case_not_found", "There is no such case"),
    oversight.CaseResolved: Answer(
        409, "case_resolved", "The case is resolved: nothing is open about it", ("case_id",)
    ),
    oversight.CaseNotTried: Answer(
        409, "case_not_tried", "Nothing about this case can be tried again", ("case_id",)
    ),
    oversight.CaseOwnerRefused: Answer(
        422, "case_owner_refused", "Only admins look after cases", ("account_id",)
    ),
}
