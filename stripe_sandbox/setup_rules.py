"""What Stripe accepts for a SetupIntent, in which status, and how it says no."""

from .errors import Json, StripeError, missing_resource, refused
from .routes import Call
from .world import public

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
"""The statuses in which nothing was set up yet."""

BROWSER_FIELDS = (
    "id",
    "object",
    "cancellation_reason",
    "client_secret",
    "created",
    "description",
    "last_setup_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "status",
    "usage",
)
"""All that a publishable key sees of a SetupIntent."""

UNSIMULATED = (
    "attach_to_self",
    "confirmation_token",
    "customer_account",
    "flow_directions",
    "mandate_data",
    "on_behalf_of",
    "payment_method_configuration",
    "payment_method_data",
    "single_use",
)


def refuse_unsimulated(call: Call) -> None:
    """Refuses what Stripe takes and the sandbox would only pretend to understand."""
    for name in UNSIMULATED:
        if call.params.get(name):
            raise refused(
                f"The sandbox does not simulate {name} of a SetupIntent. It sets up cards by "
                "their PaymentMethods, such as pm_card_visa.",
                param=name,
            )


def seen_by(call: Call, setup: Json) -> Json:
    """The SetupIntent as the caller may see it: a browser gets a subset."""
    if not call.publishable:
        return setup
    return {name: setup[name] for name in BROWSER_FIELDS}


def find_setup(call: Call) -> Json:
    """The SetupIntent of the path; a browser must know its client secret."""
    setup = call.world.peek("setup_intent", call.args["id"])
    if setup is None:
        raise missing_resource("setupintent", call.args["id"], param="intent")
    given = call.params.get("client_secret")
    if call.publishable and given is None:
        raise refused(
            "Missing required param: client_secret.",
            code="parameter_missing",
            param="client_secret",
        )
    if given is not None and given != setup["client_secret"]:
        raise refused(
            "The client_secret provided does not match the client_secret associated with the "
            "SetupIntent.",
            code="setup_intent_invalid_parameter",
            param="client_secret",
        )
    return setup


def unexpected_state(call: Call, setup: Json, message: str) -> StripeError:
    """400 `setup_intent_unexpected_state`, carrying the SetupIntent as it is."""
    return StripeError(
        400, message, code="setup_intent_unexpected_state", extra=told_with(call, setup)
    )


def told_with(call: Call, setup: Json) -> Json:
    """What an error about a SetupIntent carries of it."""
    return {"setup_intent": public(seen_by(call, setup))}


def require_not_over(call: Call, setup: Json, done: str) -> None:
    """Refuses to confirm or update what has succeeded or was canceled."""
    if setup["status"] == "succeeded":
        raise unexpected_state(
            call, setup, f"You cannot {done} this SetupIntent because it has already succeeded."
        )
    if setup["status"] == "canceled":
        raise unexpected_state(
            call, setup, f"You cannot {done} this SetupIntent because it has been canceled."
        )


def require_cards_offered(setup: Json) -> list[str]:
    """What can be set up: cards, unless they were left out."""
    allowed = setup["allowed_payment_method_types"]
    if (allowed and "card" not in allowed) or "card" in (
        setup["excluded_payment_method_types"] or ()
    ):
        raise refused(
            "No valid payment method types for this Setup Intent. The sandbox sets up cards only.",
            code="setup_intent_invalid_parameter",
        )
    return ["card"]


def require_card(call: Call, setup: Json, method: Json) -> None:
    """Refuses a PaymentMethod that is no card."""
    if method["type"] != "card":
        raise StripeError(
            400,
            f"The PaymentMethod provided ({method['type']}) is not allowed for this SetupIntent. "
            "Please attach a PaymentMethod of one of the following types: card.",
            code="setup_intent_invalid_parameter",
            param="payment_method",
            extra=told_with(call, setup),
        )
