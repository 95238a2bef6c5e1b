"""What Stripe accepts for a PaymentIntent, in which status, and how it says no."""

from .amounts import require_chargeable, require_movable, require_not_negative, too_large
from .errors import Json, StripeError, invalid, refused
from .routes import Call
from .transfers import require_destination
from .world import World, public

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
"""The statuses in which nothing was authorized yet."""
CANCELABLE = (*OPEN, "requires_capture")
"""Stripe also tries while a bank debit is `processing`; here its bank has always begun."""

BROWSER_FIELDS = (
    "id",
    "object",
    "amount",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "status",
)
"""All that a publishable key sees of a PaymentIntent."""


def seen_by(call: Call, intent: Json) -> Json:
    """The PaymentIntent as the caller may see it: a browser gets a subset."""
    if not call.publishable:
        return intent
    return {name: intent[name] for name in BROWSER_FIELDS}


def find_intent(call: Call) -> Json:
    """The PaymentIntent of the path; a browser must know its client secret."""
    intent = call.world.find("payment_intent", call.args["id"], param="intent")
    given = call.params.get("client_secret")
    if call.publishable and given is None:
        raise refused(
            "Missing required param: client_secret.",
            code="parameter_missing",
            param="client_secret",
        )
    if given is not None and given != intent["client_secret"]:
        raise refused(
            "The client_secret provided does not match the client_secret associated with the "
            "PaymentIntent.",
            code="payment_intent_invalid_parameter",
            param="client_secret",
        )
    return intent


def unexpected_state(
    call: Call, intent: Json, message: str, *, param: str | None = None
) -> StripeError:
    """400 `payment_intent_unexpected_state`, carrying the PaymentIntent as it is."""
    return StripeError(
        400,
        message,
        code="payment_intent_unexpected_state",
        param=param,
        extra={"payment_intent": public(seen_by(call, intent))},
    )


def require_status(call: Call, intent: Json, allowed: tuple[str, ...], done: str) -> None:
    """Refuses unless the status allows that the PaymentIntent be canceled, captured, ..."""
    status = intent["status"]
    if status not in allowed:
        refusal = f"This PaymentIntent could not be {done}"
        if done == "canceled":
            refusal = "You cannot cancel this PaymentIntent"
        raise unexpected_state(
            call,
            intent,
            f"{refusal} because it has a status of {status}. Only a PaymentIntent with one of the "
            f"following statuses may be {done}: {', '.join(allowed)}.",
        )


def require_updatable(call: Call, intent: Json, param: str) -> None:
    """Refuses to change what was confirmed: only before authorization may it change."""
    status = intent["status"]
    if status not in OPEN:
        raise unexpected_state(
            call,
            intent,
            f"This PaymentIntent's {param} could not be updated because it has a status of "
            f"{status}. You may only update the {param} of a PaymentIntent with one of the "
            f"following statuses: {', '.join(OPEN)}.",
            param=param,
        )


def require_money(world: World, intent: Json) -> None:
    """Refuses amounts, fees and destinations that do not go together."""
    require_chargeable(intent["amount"], intent["currency"])
    data, fee = intent["transfer_data"], intent["application_fee_amount"]
    if fee is not None:
        _require_fee(intent, fee)
    if data is None:
        return
    part = data.get("amount")
    if part is not None:
        if fee is not None:
            raise exclusive("application_fee_amount", "transfer_data[amount]")
        require_movable(part, intent["currency"], param="transfer_data[amount]")
        if part > intent["amount"]:
            raise too_large(intent["amount"], intent["currency"], param="transfer_data[amount]")
    require_destination(world, data["destination"], param="transfer_data[destination]")


def _require_fee(intent: Json, fee: int) -> None:
    """A fee is positive (leave it out when there is none), and at most the amount."""
    require_movable(fee, intent["currency"], param="application_fee_amount")
    require_fee_within(fee, intent["amount"], intent["currency"])
    if intent["transfer_data"] is None:
        raise refused(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a "
            "direct payment (using an OAuth key or Stripe-Account header) or destination payment "
            "(using `transfer_data[destination]`).",
            param="application_fee_amount",
        )


def require_fee_within(fee: int, amount: int, currency: str) -> None:
    """Refuses a fee below zero or above the amount."""
    require_not_negative(fee, "application_fee_amount")
    if fee > amount:
        raise too_large(amount, currency, param="application_fee_amount")


def exclusive(*params: str) -> StripeError:
    return refused(
        f"You may only specify one of these parameters: {', '.join(params)}.",
        code="parameters_exclusive",
        param=params[0],
    )


CHOOSING = (
    "automatic_payment_methods",
    "allowed_payment_method_types",
    "excluded_payment_method_types",
    "payment_method_configuration",
)
"""The ways of choosing payment methods; at most one can be used."""


def future_usage(intent: Json) -> str | None:
    """`on_session` or `off_session` when the PaymentMethod is to be kept; a card's option wins."""
    chosen = intent["payment_method_options"]["card"].get("setup_future_usage")
    usage = intent["setup_future_usage"] if chosen is None else chosen
    return None if usage == "none" else usage


BUYERS_CARD_OPTIONS = ("cvc_token", "network", "setup_future_usage")
"""What the buyer's browser may say about a card; how it is captured is not among it."""


def require_buyers_options(params: Json) -> None:
    """Refuses payment method options of a browser that only a server may choose."""
    for kind, options in (params.get("payment_method_options") or {}).items():
        for name in options or ():
            if name not in BUYERS_CARD_OPTIONS:
                path = f"payment_method_options[{kind}][{name}]"
                raise invalid(
                    f"Received unknown parameter: {path}", code="parameter_unknown", param=path
                )


def require_buyers_usage(intent: Json, params: Json) -> None:
    """Refuses a browser that takes back what the platform asked for: `off_session` is the most."""
    kept, given = intent["setup_future_usage"], params.get("setup_future_usage", "off_session")
    if kept is not None and given not in (kept, "off_session"):
        raise refused(
            "When setup_future_usage is set already, a publishable key can only change it from "
            "on_session to off_session.",
            code="payment_intent_invalid_parameter",
            param="setup_future_usage",
        )


CONFIRMING = ("error_on_requires_action", "mandate_data", "off_session", "return_url")
"""What is said when a PaymentIntent is confirmed, and means nothing before."""


def require_confirming(params: Json) -> None:
    """Refuses what belongs to a confirmation in a creation that does not confirm."""
    for name in CONFIRMING:
        if name in params and not params.get("confirm"):
            raise refused(
                f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless "
                "`confirm` is set to true.",
                param=name,
            )


UNSIMULATED = (
    "amount_details",
    "confirmation_token",
    "hooks",
    "mandate",
    "payment_method_configuration",
    "payment_method_data",
)


def refuse_unsimulated(params: Json) -> None:
    """Refuses what Stripe takes and the sandbox would only pretend to understand."""
    for name in UNSIMULATED:
        if params.get(name):
            raise refused(
                f"The sandbox does not simulate {name}. It takes cards and bank accounts by "
                "their PaymentMethods, such as pm_card_visa.",
                param=name,
            )


def require_one_choice(params: Json) -> None:
    """Refuses more than one way of choosing payment methods."""
    chosen = [name for name in CHOOSING if params.get(name)]
    if len(chosen) > 1:
        raise exclusive(*chosen)


def payment_method_types(intent: Json) -> list[str]:
    """What the buyer can pay with: what was allowed, or what is simulated, less the excluded.

    A bank account pays in dollars only, and cannot be held.
    """
    excluded = intent["excluded_payment_method_types"] or []
    debit = intent["currency"] == "usd" and intent["capture_method"] != "manual"
    if not debit:
        excluded = [*excluded, "us_bank_account"]
    offered = intent["allowed_payment_method_types"] or ("card", "us_bank_account")
    types = [name for name in offered if name not in excluded]
    if not types:
        raise refused(
            "No valid payment method types for this Payment Intent. Please ensure that you have "
            "activated payment methods compatible with your chosen currency.",
            code="payment_intent_invalid_parameter",
        )
    return types


def require_type(call: Call, intent: Json, method: Json) -> None:
    """Refuses a PaymentMethod of a type the PaymentIntent does not offer."""
    types = payment_method_types(intent)
    if method["type"] not in types:
        raise StripeError(
            400,
            f"The PaymentMethod provided ({method['type']}) is not allowed for this "
            "PaymentIntent. Please attach a PaymentMethod of one of the following types: "
            f"{', '.join(types)}.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method",
            extra={"payment_intent": public(seen_by(call, intent))},
        )


def merged_options(kept: Json, given: Json) -> Json:
    """Payment method options after an update; only those of cards mean anything here."""
    return {"card": {**kept["card"], **(given.get("card") or {})}}
