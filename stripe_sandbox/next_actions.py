"""What a buyer has to do before a payment or setup can go on, and how the buyer comes back."""

from .errors import Json, refused
from .routes import Call


def require_way_back(call: Call, intent: Json) -> None:
    """Refuses a server's confirmation without `return_url` where a method might redirect.

    Also refuses an address that is none: a URL is `scheme://something` in printable ASCII, and
    apps have schemes of their own.
    """
    automatic = intent["automatic_payment_methods"]
    if (
        automatic
        and automatic["enabled"]
        and automatic["allow_redirects"] == "always"
        and not (call.params.get("return_url") or call.params.get("use_stripe_sdk"))
        and not call.publishable
    ):
        kind = "SetupIntent" if intent["object"] == "setup_intent" else "PaymentIntent"
        raise refused(
            f"This {kind} is configured to accept payment methods enabled in your "
            "Dashboard. Because some of these payment methods might redirect your customer off "
            "of your page, you must provide a `return_url`. If you don't want to accept "
            "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` "
            "and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup "
            "Intents and Payment Intents.",
            param="return_url",
        )
    _require_address(call.params.get("return_url"))


def _require_address(return_url: str | None) -> None:
    if return_url is None:
        return
    scheme, colon, rest = return_url.partition(":")
    plain = return_url.isascii() and return_url.isprintable() and " " not in return_url
    if not (plain and colon and scheme[:1].isalpha() and rest.startswith("//") and rest[2:]):
        raise refused("Not a valid URL", code="url_invalid", param="return_url")


def ask_for_challenge(call: Call, intent: Json) -> None:
    """The bank wants to see the buyer: `requires_action`, and where to go."""
    url = f"{call.base_url}/3ds/{intent['id']}"
    if intent["_return_url"]:
        redirect = {"return_url": intent["_return_url"], "url": url}
        next_action: Json = {"redirect_to_url": redirect, "type": "redirect_to_url"}
    else:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": url}
        next_action = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    intent.update({"status": "requires_action", "next_action": next_action})
    call.world.emit(f"{intent['object']}.requires_action", intent)
