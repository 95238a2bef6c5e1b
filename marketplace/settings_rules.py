"""What each variable may be, and which variables do not go together. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from payments.currencies import CURRENCIES

STRIPE_API_BASE = "https://api.stripe.com"
# The release train the pinned SDK belongs to; Stripe.js must come from Stripe's own host (PCI).
STRIPE_JS_URL = "https://js.stripe.com/endive/stripe.js"
_STRIPE_JS_HOST = "https://js.stripe.com/"

Choice = TypeVar("Choice", bound=str)

_OWN_PREFIX = "MARKETPLACE_"
_OWN_NAMES = frozenset(
    {
        "MARKETPLACE_DATA_DIR",
        "MARKETPLACE_STRIPE_TRANSPORT",
        "MARKETPLACE_DATABASE_POOL",
        "MARKETPLACE_DISPUTE_POLICY",
        "MARKETPLACE_FEE_CREDIT_APPROVALS",
        "MARKETPLACE_REFUND_APPROVALS",
        "MARKETPLACE_FRONTEND_URL",
    }
)
_STRIPE_COMPANIONS = (
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_WEBHOOK_SECRETS_PLATFORM",
    "STRIPE_WEBHOOK_SECRETS_ACCOUNTS",
    "STRIPE_WEBHOOK_SECRETS_CONNECT",
    "STRIPE_API_BASE",
    "STRIPE_JS_URL",
)
_REMEDIES = {
    "DATABASE_URL": (
        "Set it to postgresql://user:password@host:5432/name, or use `marketplace run`,"
        " which brings a PostgreSQL of its own."
    ),
    "STRIPE_SECRET_KEY": (
        "Set it to a key beginning with sk_test_, or use `marketplace run`,"
        " which brings a Stripe sandbox of its own."
    ),
    "STRIPE_PUBLISHABLE_KEY": "Set it to the key beginning with pk_ of the same Stripe account.",
    "STRIPE_WEBHOOK_SECRETS_PLATFORM": (
        "Set it to the endpoint's signing secret, beginning with whsec_; an unsigned webhook"
        " is never believed."
    ),
}
_KEY = re.compile(r"(?P<kind>sk|rk|pk)_(?P<mode>test|live)_[A-Za-z0-9_]{8,}")
_MAIL_FROM = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+|[^@<>,;\"]+ <[^\s@<>,;]+@[^\s@<>,;]+>")
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]{16,}")


class Problem(msgspec.Struct, frozen=True):
    """One reason why the environment is refused. Never holds a value, only names."""

    variable: str
    what: str
    remedy: str


class Reading:
    """Takes variables out of an environment and remembers everything that is wrong with them."""

    def __init__(self, env: Mapping[str, str], require: Collection[str]) -> None:
        self.env = env
        self.problems: list[Problem] = []
        self.given: set[str] = set()
        self._require = require
        for name in sorted(env):
            if name.startswith(_OWN_PREFIX) and name not in _OWN_NAMES:
                nearest = difflib.get_close_matches(name, sorted(_OWN_NAMES), n=1, cutoff=0)
                self.refuse(name, "is not a variable we know.", f"Did you mean {nearest[0]}?")

    def refuse(self, name: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(name, what, remedy))

    def text(self, name: str, default: str = "") -> str:
        """The variable, or the default when it is not set. Set but blank is a problem."""
        raw = self.env.get(name)
        if raw is None:
            if name in self._require:
                self.refuse(name, "is not set.", _REMEDIES[name])
            return default
        self.given.add(name)
        if not raw.strip():
            self.refuse(name, "is set but empty.", "Unset it, or give it a value.")
            return default
        if raw != raw.strip() or any(ord(character) < 32 for character in raw):
            self.refuse(
                name,
                "has spaces or line breaks around or in it.",
                "Copy the value again without them.",
            )
            return default
        return raw

    def number(self, name: str, default: int, least: int, most: int) -> int:
        text = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most:
            return int(text)
        self.refuse(
            name, f"is not a whole number from {least} to {most}.", f"The default is {default}."
        )
        return default

    def amounts(self, name: str) -> dict[str, int]:
        """Minor units by currency: `eur=100000,jpy=50000`. Empty when it is not set."""
        text = self.text(name)
        found: dict[str, int] = {}
        for part in text.split(",") if text else ():
            code, _, amount = part.partition("=")
            if code in found or code not in CURRENCIES or not re.fullmatch(r"[0-9]{1,12}", amount):
                self.refuse(
                    name,
                    "is not a list of amounts by currency.",
                    "Write minor units, each currency once: eur=100000,jpy=50000.",
                )
                return {}
            found[code] = int(amount)
        return found

    def choice(self, name: str, default: Choice, allowed: tuple[Choice, ...]) -> Choice:
        """One of the values, in any letter case."""
        text = self.text(name, default)
        for value in allowed:
            if text.lower() == value.lower():
                return value
        self.refuse(name, "is not one of its values.", f"Use one of {', '.join(allowed)}.")
        return default

    def key(self, name: str, kinds: tuple[str, ...]) -> str:
        """A Stripe key of one of the kinds, or an empty string when it is not set."""
        text = self.text(name)
        match = _KEY.fullmatch(text)
        if text and (match is None or match["kind"] not in kinds):
            expected = " or ".join(f"{kind}_test_, {kind}_live_" for kind in kinds)
            self.refuse(name, "is not a Stripe key of that kind.", f"It begins with {expected}.")
            return ""
        return text

    def webhook_secrets(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The comma-separated signing secrets of one destination."""
        text = self.text(name)
        if not text:
            return default
        secrets = tuple(part.strip() for part in text.split(","))
        if not all(_WEBHOOK_SECRET.fullmatch(secret) for secret in secrets):
            self.refuse(
                name,
                "has an entry that is empty or not a signing secret.",
                "Give secrets beginning with whsec_, separated by single commas.",
            )
            return default
        return secrets

    def url(self, name: str, default: str, *, with_path: bool = False) -> str:
        """An http(s) address without a slash at its end; only `with_path` may have a path."""
        text = self.text(name, default)
        parts = _split(text)
        fits = (
            parts is not None
            and parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.username is None
            and not (parts.query or parts.fragment or re.search(r"\s", text))
            and (with_path or parts.path in ("", "/"))
        )
        if not fits:
            self.refuse(
                name,
                "is not an http or https address" + ("." if with_path else " without a path."),
                f"For example {default}.",
            )
            return default
        return text.rstrip("/")

    def optional_url(self, name: str) -> str:
        """An http(s) address that may have a path, or an empty string when it is not set."""
        if not self.text(name):
            return ""
        text = self.url(name, "https://shop.example.com", with_path=True)
        return "" if any(problem.variable == name for problem in self.problems) else text

    def smtp_url(self, name: str) -> str:
        """An SMTP server, or an empty string when it is not set."""
        text = self.text(name)
        parts = _split(text)
        fits = (
            parts is not None
            and parts.scheme in ("smtp", "smtps")
            and bool(parts.hostname)
            and (parts.username is None) == (parts.password is None)
            and not (parts.path.strip("/") or parts.query or parts.fragment)
        )
        if text and not fits:
            self.refuse(
                name,
                "is not the address of an SMTP server.",
                "For example smtp://user:password@host:587, or smtps://user:password@host:465.",
            )
            return ""
        return text

    def mail_from(self, name: str, default: str) -> str:
        """Who e-mails are from: an address, or a name with the address in angle brackets."""
        text = self.text(name, default)
        if not _MAIL_FROM.fullmatch(text):
            self.refuse(
                name, "is not an e-mail address.", "For example Market <market@example.com>."
            )
            return default
        return text

    def database_url(self, name: str) -> str:
        text = self.text(name)
        if not text:
            return ""
        parts = _split(text)
        if parts is None or parts.scheme not in ("postgresql", "postgres"):
            self.refuse(name, "is not a PostgreSQL address.", _REMEDIES[name])
            return ""
        if not parts.hostname and "host=" not in parts.query:
            self.refuse(name, "names no host.", _REMEDIES[name])
            return ""
        return text


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is not a port
    except ValueError:
        return None
    return parts


def key_mode(key: str) -> Literal["test", "live"] | None:
    """Whether a Stripe key moves real money; None for an empty or malformed one."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return "live" if match["mode"] == "live" else "test"


def is_stripe_api(api_base: str) -> bool:
    """Whether an API base is Stripe's own."""
    return api_base == STRIPE_API_BASE


def default_public_url(host: str, port: int) -> str:
    """Where a browser on this machine finds a server bound to `host`."""
    name = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def host_of(url: str) -> str:
    """The host of an address of ours; of this machine's, a name that may stand in an e-mail address."""
    host = urlsplit(url).hostname or ""
    return "localhost" if ":" in host or re.fullmatch(r"[0-9.]*", host) else host


def problems_between(
    *,
    given: Collection[str],
    secret_key: str,
    publishable_key: str,
    api_base: str,
    js_url: str,
    public_url: str,
    frontend_url: str,
    ports: tuple[int, int],
) -> list[Problem]:
    """What is wrong between variables that are right each by itself."""
    problems = []
    secret_mode, publishable_mode = key_mode(secret_key), key_mode(publishable_key)
    companions = [name for name in _STRIPE_COMPANIONS if name in given]
    if not secret_key and companions:
        problems.append(
            Problem(
                "STRIPE_SECRET_KEY",
                f"is not set, but {', '.join(companions)} is.",
                "Set it as well, or unset the others to use the Stripe sandbox.",
            )
        )
    if secret_mode and publishable_mode and secret_mode != publishable_mode:
        problems.append(
            Problem(
                "STRIPE_PUBLISHABLE_KEY",
                f"is a {publishable_mode} key while STRIPE_SECRET_KEY is a {secret_mode} key.",
                "Take both from the same mode of the same Stripe account.",
            )
        )
    if "live" in (secret_mode, publishable_mode):
        problems += _live_problems(api_base, public_url, frontend_url)
    if is_stripe_api(api_base) and not js_url.startswith(_STRIPE_JS_HOST):
        problems.append(
            Problem(
                "STRIPE_JS_URL",
                "is not Stripe's own script although the API is Stripe's.",
                f"Unset it, or use {STRIPE_JS_URL}.",
            )
        )
    if ports[0] == ports[1]:
        problems.append(
            Problem("SANDBOX_PORT", "is the same as PORT.", "Give them different numbers.")
        )
    return problems


def _live_problems(api_base: str, public_url: str, frontend_url: str) -> list[Problem]:
    problems = []
    if not is_stripe_api(api_base):
        problems.append(
            Problem(
                "STRIPE_API_BASE",
                "is not Stripe's own, but a key is live: it would be told to a stranger.",
                "Use test keys (sk_test_, pk_test_) with a sandbox, or unset STRIPE_API_BASE.",
            )
        )
    if not public_url.startswith("https://"):
        problems.append(
            Problem(
                "PUBLIC_URL",
                "is not https, but a key is live.",
                "Set it to the https address under which buyers reach this server.",
            )
        )
    if frontend_url.startswith("http://"):
        problems.append(
            Problem(
                "MARKETPLACE_FRONTEND_URL",
                "is not https, but a key is live.",
                "Set it to the https address of your front-end.",
            )
        )
    return problems
