"""`marketplace run`: the whole program on one machine, with whatever is missing brought along."""

import http.client
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import NoReturn

import click

from marketplace import settings
from marketplace.cli.outcomes import (
    FAILED,
    NO_DATABASE,
    Ended,
    configured_by,
    listening_socket,
)
from marketplace.cli.processes import local_address
from marketplace.settings import Settings
from marketplace.supervisor import ChildEnded, Supervisor

# The sandbox takes every test key; these are fixed so that examples can be pasted.
SANDBOX_SECRET_KEY = "sk_test_sandbox0000000000"
SANDBOX_PUBLISHABLE_KEY = "pk_test_sandbox0000000000"

_READY_SECONDS = 60.0


class _Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived: the orderly end of `run`, wherever it is."""


@click.command()
@click.option("--without-demo", is_flag=True, help="Do not fill the marketplace with examples.")
def run(without_demo: bool) -> None:
    """Run everything, bringing what is missing.

    Server, worker and a small living marketplace. Without DATABASE_URL it starts a PostgreSQL of
    its own and keeps its data between runs; without STRIPE_SECRET_KEY it starts the Stripe
    sandbox. Ctrl-C stops all of it.
    """
    env = settings.read()
    given = configured_by(env, settings.NOTHING)
    _require_free_ports(given)
    with _signals_stop(), ExitStack() as held:
        env = _with_stripe(env, given)
        env = _with_database(env, given, held)
        complete = configured_by(env, settings.SERVING)
        supervisor = held.enter_context(Supervisor())
        try:
            _start(supervisor, env, complete, own_sandbox=not given.stripe_secret_key)
            _fill(supervisor, env, wanted=given.sandboxed and not without_demo)
            _tell(complete, own_database=not given.database_url)
            supervisor.watch()
        except ChildEnded as ended:
            raise Ended(FAILED, f"{ended}; everything else was stopped.") from None


def _require_free_ports(given: Settings) -> None:
    listening_socket(given.host, given.port, "PORT").close()
    if not given.stripe_secret_key:
        listening_socket("127.0.0.1", given.sandbox_port, "SANDBOX_PORT").close()


def _with_stripe(env: dict[str, str], given: Settings) -> dict[str, str]:
    """The environment with the sandbox in Stripe's place, unless a Stripe is configured."""
    if given.stripe_secret_key:
        return env
    # Signing secrets are new in each run: whoever knows one may forge events.
    webhooks = {
        f"STRIPE_WEBHOOK_SECRETS_{scope}": f"whsec_{secrets.token_hex(24)}"
        for scope in ("PLATFORM", "ACCOUNTS", "CONNECT")
    }
    return {
        **env,
        **webhooks,
        "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
        "STRIPE_API_BASE": f"http://127.0.0.1:{given.sandbox_port}",
    }


def _with_database(env: dict[str, str], given: Settings, held: ExitStack) -> dict[str, str]:
    """The environment with a PostgreSQL of our own, unless one is configured."""
    if given.database_url:
        return env
    from marketplace.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresFailed

    server = EmbeddedPostgres(given.data_directory / "postgres")
    click.echo(f"Starting PostgreSQL on {server.data_directory}")
    try:
        held.enter_context(server)
    except EmbeddedPostgresFailed as error:
        raise Ended(NO_DATABASE, error.message, error.hint) from None
    return {**env, "DATABASE_URL": server.dsn}


def _start(
    supervisor: Supervisor, env: dict[str, str], complete: Settings, *, own_sandbox: bool
) -> None:
    if own_sandbox:
        # What a kept database knows of Stripe, the sandbox must know again.
        memory = str(complete.data_directory / "sandbox.json")
        command = _ours("sandbox", "--with-parent", "--state-file", memory)
        supervisor.start("sandbox", command, env)
    code = supervisor.run("migrate", _ours("migrate"), env)
    if code:
        raise Ended(code, "the database could not be migrated; see above.")
    supervisor.start("serve", _ours("serve", "--with-parent"), env)
    supervisor.start("work", _ours("work", "--with-parent"), env)
    _wait_for(supervisor, local_address(complete))


def _fill(supervisor: Supervisor, env: dict[str, str], *, wanted: bool) -> None:
    if wanted and supervisor.run("demo", _ours("demo"), env) != 0:
        raise Ended(FAILED, "the demo could not be filled; see above.")


def _tell(complete: Settings, *, own_database: bool) -> None:
    lines = [
        "",
        f"  Marketplace     {complete.public_url}",
        f"  API and docs    {complete.public_url}/docs",
    ]
    if complete.sandboxed:
        lines.append(f"  Stripe sandbox  {complete.stripe_api_base}/_sandbox/requests")
    if own_database:
        lines.append(f"  PostgreSQL      {complete.database_url}")
    click.echo("\n".join([*lines, "", "Ctrl-C stops everything."]))


def _wait_for(supervisor: Supervisor, address: str) -> None:
    """Wait until the server answers a request, watching that nothing ends meanwhile."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        supervisor.check()
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=2)
        try:
            connection.request("GET", "/health/live")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise Ended(FAILED, f"the server did not answer within {_READY_SECONDS:.0f} seconds.")


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "marketplace", *arguments]


@contextmanager
def _signals_stop() -> Iterator[None]:
    """Let a signal end the block in good order; the same signal again changes nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    except _Stopped:
        click.echo("Stopped.")
