"""Who is calling: the key, the account it acts for, and the API version it speaks."""

import base64
import binascii
from dataclasses import dataclass

from .errors import StripeError
from .routes import Route
from .world import API_VERSION, World

SECRET_KINDS = ("sk_test", "rk_test")
PUBLISHABLE_KIND = "pk_test"


@dataclass(slots=True, frozen=True)
class Caller:
    """A recognised key: its kind only, for no key is ever kept."""

    kind: str

    @property
    def publishable(self) -> bool:
        return self.kind == PUBLISHABLE_KIND


def authenticate(authorization: str | None, form_key: str | None = None) -> Caller:
    """The caller of a Bearer or Basic header, or of the `key` field a browser sends.

    Raises StripeError 401 for a missing key, a live key or one that is not Stripe's.
    """
    key = _key_of(authorization) or form_key
    if not key:
        raise _unauthorized(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
        )
    for kind in (*SECRET_KINDS, PUBLISHABLE_KIND):
        if key.startswith(f"{kind}_") and len(key) > len(kind) + 1:
            return Caller(kind)
    if "_live_" in key:
        raise _unauthorized(
            "A live mode key was sent to the sandbox, which moves no money and takes test keys "
            "only. Use a key that begins with sk_test_ or pk_test_."
        )
    raise _unauthorized(f"Invalid API Key provided: {_masked(key)}")


def _key_of(authorization: str | None) -> str | None:
    scheme, _, rest = (authorization or "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return base64.b64decode(rest, validate=True).decode("ascii").partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return None
        case _:
            return None


def _masked(key: str) -> str:
    return f"{key[:3]}{'*' * 8}{key[-2:]}" if len(key) > 12 else "*" * len(key)


def _unauthorized(message: str) -> StripeError:
    return StripeError(401, message, executed=False)


def require_secret(caller: Caller) -> None:
    """Raise 401 `secret_key_required` when a publishable key calls a server's operation."""
    if caller.publishable:
        raise StripeError(
            401,
            "This API call cannot be made with a publishable API key. Please use a secret API "
            "key. You can find a list of your API keys at "
            "https://dashboard.stripe.com/account/apikeys.",
            code="secret_key_required",
            executed=False,
        )


def require_version(sent: str | None, *, v2: bool) -> None:
    """Raise 400 for another API version; v2 has no default, so there it must be sent."""
    if sent is None and v2:
        raise StripeError(
            400,
            "You must provide a Stripe-Version header on requests to /v2.",
            code="missing_stripe_version",
            executed=False,
        )
    if sent not in (None, API_VERSION):
        raise StripeError(
            400,
            f"Invalid Stripe API version: {sent[:40] if sent else sent}. The sandbox speaks "
            f"{API_VERSION}.",
            executed=False,
        )


def require_access(world: World, account: str | None, route: Route) -> None:
    """Raise 403 `account_invalid` when the Stripe-Account header names no account of ours.

    Raises 400 for what is simulated on the platform's own account only: Stripe would show or change
    what is the connected account's own, such as its customers, its direct charges.
    """
    if account is None:
        return
    if world.peek("v2.core.account", account) is None:
        raise StripeError(
            403,
            f"The provided key does not have access to account '{account[:80]}' (or that account "
            "does not exist). Application access may have been revoked.",
            code="account_invalid",
            executed=False,
        )
    if not route.for_accounts:
        raise StripeError(
            400,
            f"The sandbox simulates {route.method} {route.pattern} on the platform's own account "
            "only: leave out Stripe-Account.",
            executed=False,
        )
