"""`marketplace doctor`: is everything there that the program needs, and if not, what to do."""

from dataclasses import dataclass
from smtplib import SMTPException
from typing import Literal
from urllib.parse import urlsplit

from marketplace.messages.post import Smtp, default_port
from marketplace.migrating import migration_state
from marketplace.readiness import (
    DURABILITY_SETTINGS,
    ask_stripe,
    not_durable,
    server_version,
    stripe_silence,
)
from marketplace.settings import Settings
from payments.errors import DatabaseUnavailable

OLDEST_POSTGRES = 15
# Stripe signs deliveries with the time and we refuse those older than 300 s.
SKEW_WARNING_SECONDS = 5.0
SKEW_FAILURE_SECONDS = 60.0

Grade = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was looked at, what was found, and what to do about it."""

    subject: str
    grade: Grade
    said: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; one that cannot be made because an earlier one failed is left out."""
    return [
        *await _database(settings),
        *await _stripe(settings),
        _webhook_secrets(settings),
        *await _events(settings),
        await _post(settings),
    ]


async def _database(settings: Settings) -> list[Finding]:
    dsn, shown = settings.database_url, settings.database_shown()
    try:
        version = await server_version(dsn)
        state = await migration_state(dsn)
        unsafe = await not_durable(dsn)
    except DatabaseUnavailable as error:
        remedy = "Check DATABASE_URL, that the server is up and that its user may sign in."
        return [Finding("database", "failure", f"{shown} not reachable ({error.why})", remedy)]
    return [
        _version(shown, version),
        _migrations(state.pending, state.unknown, len(state.applied)),
        _durability(unsafe),
    ]


def _version(shown: str, version: int) -> Finding:
    said = f"{shown} answers, PostgreSQL {version}"
    if version >= OLDEST_POSTGRES:
        return Finding("database", "ok", said)
    return Finding("database", "failure", said, f"Use PostgreSQL {OLDEST_POSTGRES} or newer.")


def _migrations(pending: tuple[str, ...], unknown: tuple[str, ...], applied: int) -> Finding:
    if pending:
        said = f"{len(pending)} pending"
        return Finding("migrations", "failure", said, "Run `marketplace migrate`.")
    if unknown:
        said = f"the database has {len(unknown)} that this version does not know"
        return Finding("migrations", "warning", said, "Deploy the version that made them.")
    return Finding("migrations", "ok", f"all {applied} applied")


def _durability(unsafe: list[str]) -> Finding:
    if unsafe:
        said = f"{', '.join(unsafe)} is off: acknowledged payments can be lost"
        return Finding("durability", "failure", said, "Turn it on in postgresql.conf.")
    return Finding("durability", "ok", f"{', '.join(DURABILITY_SETTINGS)} are on")


async def _stripe(settings: Settings) -> list[Finding]:
    import httpx

    base = settings.stripe_api_base
    try:
        answer = await ask_stripe(base, settings.stripe_secret_key)
    except httpx.HTTPError as error:
        said = f"{base} does not answer ({type(error).__name__})"
        remedy = "Check the network and STRIPE_API_BASE; for the sandbox, that it is running."
        return [Finding("Stripe key", "failure", said, remedy)]
    findings = [_key(answer.status, answer.message, answer.live, settings)]
    if answer.skew_seconds is not None:
        findings.append(_clock(answer.skew_seconds))
    return findings


def _key(status: int, message: str, live: bool | None, settings: Settings) -> Finding:
    where = "the sandbox" if settings.sandboxed else "Stripe"
    mode = "live" if settings.live else "test"
    if status == 401:
        remedy = "Copy STRIPE_SECRET_KEY again from the dashboard; it may have been rolled."
        return Finding("Stripe key", "failure", f"{where} does not know the key", remedy)
    if status == 403:
        remedy = "Give the restricted key permission to read balances."
        return Finding("Stripe key", "failure", f"the key may not do this: {message}", remedy)
    if status != 200:
        remedy = "Try again; see Stripe's status page when it lasts."
        return Finding("Stripe key", "failure", f"{where} answered {status}: {message}", remedy)
    if live is not settings.live:
        said = f"a {mode} key, but {where} says the other mode"
        return Finding("Stripe key", "failure", said, "Copy both keys again from one mode.")
    return Finding("Stripe key", "ok", f"{where} accepts it, {mode} mode")


def _clock(skew_seconds: float) -> Finding:
    said = f"{abs(skew_seconds):.0f} s {'ahead of' if skew_seconds > 0 else 'behind'} Stripe's"
    remedy = "Synchronize this machine's clock (NTP): webhooks are refused by their time."
    if abs(skew_seconds) > SKEW_FAILURE_SECONDS:
        return Finding("clock", "failure", said, remedy)
    if abs(skew_seconds) > SKEW_WARNING_SECONDS:
        return Finding("clock", "warning", said, remedy)
    return Finding("clock", "ok", "agrees with Stripe's")


async def _events(settings: Settings) -> list[Finding]:
    """Does Stripe still tell us what happens? Nothing is said where the database cannot be asked."""
    try:
        heard = await stripe_silence(settings.database_url)
    except DatabaseUnavailable:
        return []
    if heard is None:
        return []
    last, silent = heard
    said = "none yet" if last is None else f"the last one came {last:%Y-%m-%d %H:%M} UTC"
    if not silent:
        return [Finding("Stripe's events", "ok", said)]
    remedy = (
        "Look at the webhook endpoints in Stripe's Dashboard: address, secret, failed deliveries."
    )
    return [Finding("Stripe's events", "failure", f"{said}, though money moved since", remedy)]


async def _post(settings: Settings) -> Finding:
    """Can e-mails be sent? Connects and signs in, without sending one."""
    if settings.mailbox is not None:
        said = f"no SMTP server: what people are written stays in {settings.mailbox}"
        grade: Grade = "ok" if settings.sandboxed else "warning"
        return Finding("e-mail", grade, said, "" if settings.sandboxed else "Set SMTP_URL.")
    server = urlsplit(settings.smtp_url)
    where = f"{server.hostname}:{server.port or default_port(server)}"
    try:
        await Smtp(settings.smtp_url, sender=settings.mail_from, host="doctor").check()
    except (OSError, SMTPException) as error:
        said = f"{where} does not take our sign-in ({type(error).__name__})"
        return Finding(
            "e-mail", "failure", said, "Check SMTP_URL: host, port, user, password, TLS."
        )
    return Finding("e-mail", "ok", f"{where} takes our e-mails, from {settings.mail_from}")


def _webhook_secrets(settings: Settings) -> Finding:
    counts = {
        "platform": len(settings.stripe_webhook_secrets_platform),
        "accounts": len(settings.stripe_webhook_secrets_accounts),
        "connect": len(settings.stripe_webhook_secrets_connect),
    }
    missing = [name for name, count in counts.items() if count == 0]
    if missing:
        names = ", ".join(f"STRIPE_WEBHOOK_SECRETS_{name.upper()}" for name in missing)
        said = f"none for {', '.join(missing)}: every event sent there is refused"
        return Finding("webhook secrets", "failure", said, f"Set {names}.")
    said = ", ".join(f"{count} for {name}" for name, count in counts.items())
    return Finding("webhook secrets", "ok", said)
