"""How the program is configured: the environment, read once, refused as a whole when wrong.

    from marketplace import settings
    configured = settings.Settings.from_environment(settings.read())

Every variable is in the README's table. A refusal names all problems at once, each with what to
do about it, and never shows a secret's value.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from marketplace.settings_rules import (
    STRIPE_API_BASE,
    STRIPE_JS_URL,
    Problem,
    Reading,
    default_public_url,
    host_of,
    is_stripe_api,
    key_mode,
    problems_between,
)

__all__ = [
    "DATABASE",
    "NOTHING",
    "SERVING",
    "WORKING",
    "Problem",
    "Settings",
    "SettingsRefused",
    "host_of",
]

# What a command cannot do without; everything else has a default or is not its concern.
NOTHING: tuple[str, ...] = ()
DATABASE = ("DATABASE_URL",)
WORKING = (*DATABASE, "STRIPE_SECRET_KEY")
SERVING = (*WORKING, "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRETS_PLATFORM")

_CHECKOUT = Path(__file__).resolve().parent.parent


class SettingsRefused(Exception):
    """The environment cannot be used. `problems` holds every reason, each with its remedy."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{p.variable} {p.what}\n  {p.remedy}" for p in problems))
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration. Variables a command does not require may be empty strings or tuples."""

    database_url: str = ""
    database_pool: int = 10  # connections each process may hold
    stripe_secret_key: str = ""
    stripe_publishable_key: str = ""
    stripe_webhook_secrets_platform: tuple[str, ...] = ()  # several while one is being rolled
    stripe_webhook_secrets_accounts: tuple[str, ...] = ()
    stripe_webhook_secrets_connect: tuple[str, ...] = ()
    stripe_api_base: str = STRIPE_API_BASE
    stripe_js_url: str = STRIPE_JS_URL
    stripe_transport: Literal["aiohttp", "httpx"] = "aiohttp"
    public_url: str = "http://127.0.0.1:8000"  # without a slash at its end
    frontend_url: str = ""  # empty: links lead to pages of our own
    smtp_url: str = ""  # empty: e-mails are kept in a folder
    mail_from: str = "no-reply@localhost"
    host: str = "127.0.0.1"
    port: int = 8000
    sandbox_port: int = 12111
    log_level: str = "INFO"
    data_directory: Path = _CHECKOUT / ".data"
    # What an admin refunds alone: minor units by currency. Others have a limit of their own.
    refund_approvals: dict[str, int] = {}
    # What an admin grants a seller of fee credits alone within a month, in the same way.
    fee_credit_approvals: dict[str, int] = {}
    # For how many days news are kept; what money and audits rest on is kept for ever.
    kept_messages_days: int = 400
    kept_webhooks_days: int = 90
    kept_ignored_events_days: int = 90
    # What becomes of the seller's share while a dispute is open: taken back, or set aside in the books.
    dispute_policy: Literal["reverse", "reserve"] = "reverse"

    @property
    def live(self) -> bool:
        """Whether real money moves."""
        return key_mode(self.stripe_secret_key) == "live"

    @property
    def sandboxed(self) -> bool:
        """Whether the Stripe we talk to is not Stripe's own."""
        return not (self.stripe_secret_key and is_stripe_api(self.stripe_api_base))

    @property
    def pages_url(self) -> str:
        """What the paths of links are below: the front-end, or our own signposts."""
        return self.frontend_url or f"{self.public_url}/pages"

    @property
    def mailbox(self) -> Path | None:
        """The folder that e-mails are kept in when there is no SMTP server."""
        return None if self.smtp_url else self.data_directory / "mailbox"

    @property
    def mailbox_shown(self) -> bool:
        """Whether anybody may read what is written to everybody: in the sandboxed program only."""
        return self.sandboxed and not self.live and not self.smtp_url

    def __repr__(self) -> str:
        shown = ("public_url", "host", "port", "stripe_api_base", "log_level", "data_directory")
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"Settings({values}, live={self.live}, sandboxed={self.sandboxed})"

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str], *, require: Collection[str] = SERVING
    ) -> "Settings":
        """Read the variables, judge them one by one and against each other.

        `require` names the variables that must be given. Raises SettingsRefused.
        """
        reading = Reading(env, require)
        settings = cls._read(reading)
        between = problems_between(
            given=reading.given,
            secret_key=settings.stripe_secret_key,
            publishable_key=settings.stripe_publishable_key,
            api_base=settings.stripe_api_base,
            js_url=settings.stripe_js_url,
            public_url=settings.public_url,
            frontend_url=settings.frontend_url,
            ports=(settings.port, settings.sandbox_port),
        )
        # A variable refused by itself was replaced by its default: nothing follows from that one.
        refused = {problem.variable for problem in reading.problems}
        problems = reading.problems + [p for p in between if p.variable not in refused]
        if problems:
            raise SettingsRefused(problems)
        return settings

    @classmethod
    def _read(cls, reading: Reading) -> "Settings":
        host, port = reading.text("HOST", "127.0.0.1"), reading.number("PORT", 8000, 1, 65535)
        public_url = reading.url("PUBLIC_URL", default_public_url(host, port))
        api_base = reading.url("STRIPE_API_BASE", STRIPE_API_BASE)
        js_default = STRIPE_JS_URL if is_stripe_api(api_base) else f"{api_base}/stripe.js"
        platform = reading.webhook_secrets("STRIPE_WEBHOOK_SECRETS_PLATFORM")
        # One forwarder, as the Stripe CLI is, signs everything with one secret.
        accounts = reading.webhook_secrets("STRIPE_WEBHOOK_SECRETS_ACCOUNTS", platform)
        connect = reading.webhook_secrets("STRIPE_WEBHOOK_SECRETS_CONNECT", platform)
        return cls(
            database_url=reading.database_url("DATABASE_URL"),
            database_pool=reading.number("MARKETPLACE_DATABASE_POOL", 10, 1, 500),
            stripe_secret_key=reading.key("STRIPE_SECRET_KEY", ("sk", "rk")),
            stripe_publishable_key=reading.key("STRIPE_PUBLISHABLE_KEY", ("pk",)),
            stripe_webhook_secrets_platform=platform,
            stripe_webhook_secrets_accounts=accounts,
            stripe_webhook_secrets_connect=connect,
            stripe_api_base=api_base,
            stripe_js_url=reading.url("STRIPE_JS_URL", js_default, with_path=True),
            stripe_transport=reading.choice(
                "MARKETPLACE_STRIPE_TRANSPORT", "aiohttp", ("aiohttp", "httpx")
            ),
            public_url=public_url,
            frontend_url=reading.optional_url("MARKETPLACE_FRONTEND_URL"),
            smtp_url=reading.smtp_url("SMTP_URL"),
            mail_from=reading.mail_from("MAIL_FROM", f"no-reply@{host_of(public_url)}"),
            host=host,
            port=port,
            sandbox_port=reading.number("SANDBOX_PORT", 12111, 1, 65535),
            log_level=reading.choice(
                "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            refund_approvals=reading.amounts("MARKETPLACE_REFUND_APPROVALS"),
            fee_credit_approvals=reading.amounts("MARKETPLACE_FEE_CREDIT_APPROVALS"),
            kept_messages_days=reading.number("MARKETPLACE_KEEP_MESSAGES_DAYS", 400, 31, 36_500),
            kept_webhooks_days=reading.number("MARKETPLACE_KEEP_WEBHOOKS_DAYS", 90, 31, 36_500),
            # Stripe lists its events for thirty days: a younger one would be found missing here.
            kept_ignored_events_days=reading.number(
                "MARKETPLACE_KEEP_IGNORED_EVENTS_DAYS", 90, 31, 36_500
            ),
            dispute_policy=reading.choice(
                "MARKETPLACE_DISPUTE_POLICY", "reverse", ("reverse", "reserve")
            ),
            data_directory=Path(
                reading.text("MARKETPLACE_DATA_DIR", str(_default_data_directory(reading.env)))
            ).expanduser(),
        )

    def database_shown(self) -> str:
        """The database's address without its password, for people to read."""
        parts = urlsplit(self.database_url)
        user = f"{parts.username}@" if parts.username else ""
        where = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=user + where, query="").geturl()


def read() -> dict[str, str]:
    """The environment of this process as it is now."""
    return dict(os.environ)


def _default_data_directory(env: Mapping[str, str]) -> Path:
    """`.data` beside the sources in a checkout, else the user's own folder for data."""
    if (_CHECKOUT / "pyproject.toml").exists():
        return _CHECKOUT / ".data"
    given = env.get("XDG_DATA_HOME", "")
    return (Path(given) if given else Path("~/.local/share")) / "marketplace"
