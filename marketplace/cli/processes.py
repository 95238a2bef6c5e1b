"""The processes that stay: `serve`, `work` and `sandbox`. Each stops cleanly on SIGTERM."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from marketplace import settings
from marketplace.cli.outcomes import (
    FAILED,
    REFUSED,
    Ended,
    configured,
    database_outcomes,
    listening_socket,
    require_migrated,
)
from marketplace.settings import Settings

# Requests in flight may finish; a load balancer has long stopped sending new ones by then.
GRACE_SECONDS = 10
_LAST_RESORT_SECONDS = GRACE_SECONDS + 5


def _leave_with_parent(_context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    """Stop when standard input, a pipe our parent holds, ends: it was stopped or killed."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST_RESORT_SECONDS)
    os._exit(FAILED)


with_parent: Callable[[Any], Any] = click.option(
    "--with-parent",
    is_flag=True,
    hidden=True,
    expose_value=False,
    callback=_leave_with_parent,
    help="Stop when standard input ends.",
)


@click.command()
@with_parent
def serve() -> None:
    """Serve the API. Any number may run, on one database."""
    chosen = configured()
    from marketplace import logs

    logs.configure(chosen.log_level)
    require_ready(chosen)
    with listening_socket(chosen.host, chosen.port, "PORT") as listener:
        import uvicorn

        from marketplace.app import create_app

        server = uvicorn.Server(
            uvicorn.Config(
                create_app(chosen),
                access_log=False,  # the application writes one line a request itself
                log_config=None,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        # uvicorn raises a caught signal again when it is done; being stopped is not a failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])
    if not server.started:
        raise Ended(FAILED, "the server did not start; the log above says why.")


@click.command()
@with_parent
def work() -> None:
    """Work over due rows. Any number may run.

    Webhook events, interrupted operations, payments and accounts to be read again, expiries.
    """
    chosen = configured(settings.WORKING)
    from marketplace import logs

    logs.configure(chosen.log_level)
    require_ready(chosen)
    asyncio.run(_work(chosen))


async def _work(chosen: Settings) -> None:
    from marketplace import worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with database_outcomes(chosen.database_shown()):
        await worker.run(chosen, stop)


@click.command()
@click.option(
    "--state-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep its memory in this file between runs.",
)
@with_parent
def sandbox(state_file: Path | None) -> None:
    """Run a local Stripe with memory, for development and tests.

    Its webhooks go to our own server, when STRIPE_WEBHOOK_SECRETS_PLATFORM is set.
    """
    chosen = configured(settings.NOTHING)
    if chosen.live:
        raise Ended(REFUSED, "a live key is configured; the sandbox moves no real money.")
    listening_socket("127.0.0.1", chosen.sandbox_port, "SANDBOX_PORT").close()
    from stripe_sandbox.config import SandboxConfig
    from stripe_sandbox.keeping import UnreadableState
    from stripe_sandbox.server import serve as serve_sandbox

    click.echo(f"Stripe sandbox: http://127.0.0.1:{chosen.sandbox_port}/_sandbox")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        serve_sandbox(
            SandboxConfig(
                port=chosen.sandbox_port,
                destinations=_destinations(chosen),
                state_file=state_file,
            )
        )
    except UnreadableState as error:
        remedy = f"Move {state_file} away to begin with an empty sandbox."
        raise Ended(FAILED, f"{error}.", remedy) from None


def _destinations(chosen: Settings) -> tuple[Any, ...]:
    """Where the sandbox sends its webhooks: to our own server, when there are secrets to sign."""
    from stripe_sandbox.config import SCOPES, Destination

    secrets = {
        "platform": chosen.stripe_webhook_secrets_platform,
        "accounts": chosen.stripe_webhook_secrets_accounts,
        "connect": chosen.stripe_webhook_secrets_connect,
    }
    return tuple(
        Destination(scope, f"{local_address(chosen)}/webhooks/stripe/{scope}", secrets[scope])
        for scope in SCOPES
        if secrets[scope]
    )


def local_address(chosen: Settings) -> str:
    """Where a process on this machine reaches our server, whatever it is called outside."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(chosen.host, chosen.host)
    return f"http://[{host}]:{chosen.port}" if ":" in host else f"http://{host}:{chosen.port}"


def require_ready(chosen: Settings) -> None:
    """End the command unless the database answers, is migrated, keeps what it acknowledges, and holds
    no sign-ins that everybody knows."""
    from marketplace.readiness import holds_demo, not_durable

    require_migrated(chosen)
    with database_outcomes(chosen.database_shown()):
        unsafe = asyncio.run(not_durable(chosen.database_url))
        demo = not chosen.sandboxed and asyncio.run(holds_demo(chosen.database_url))
    if demo:
        raise Ended(
            REFUSED,
            "the database holds the demo, whose sign-ins everybody knows, but real Stripe keys are set.",
            "Give real Stripe a database of its own.",
        )
    if unsafe and chosen.live:
        raise Ended(
            REFUSED,
            f"the database may lose acknowledged payments: {', '.join(unsafe)} is off.",
            "Turn it on in postgresql.conf; real money is not accepted without it.",
        )
    if unsafe:
        print(f"warning: {', '.join(unsafe)} is off in the database", file=sys.stderr)  # noqa: T201
