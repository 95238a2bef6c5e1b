"""How errors of people, shops, listings and messages are told."""

from marketplace.api.problem_answers import NOT_FOUND, Answer, Table
from marketplace.catalog import errors as catalog
from marketplace.messages import errors as messages
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
    people.LinkOver: Answer(
        422,
        "link_over",
        "This link does not work, or no longer: ask for a new one",
        (),
        "It works once and for a while only, and a newer one ends it.",
    ),
    people.EmailProvedAlready: Answer(
        409, "email_proved_already", "This address was shown to be yours already"
    ),
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

MESSAGES: Table = {
    messages.MessageNotFound: Answer(404, "message_not_found", NOT_FOUND),
    messages.MessageNotGivenUp: Answer(
        409,
        "message_not_given_up",
        "Only what was given up is tried again",
        ("message_id", "state"),
        "And only where the account can still sign in.",
    ),
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
