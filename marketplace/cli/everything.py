"""`marketplace run`: the whole program on one machine, with whatever is missing brought along."""

import http.client
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from marketplace import settings
from marketplace.cli import beside
from marketplace.cli.outcomes import (
    FAILED,
    NO_DATABASE,
    Ended,
    configured_by,
    listening_socket,
)
from marketplace.cli.processes import local_address
from marketplace.demo_cast import BUYER, sign_ins
from marketplace.settings import Settings
from marketplace.supervisor import ChildEnded, Supervisor

# The sandbox takes every test key; these are fixed so that examples can be pasted.
SANDBOX_SECRET_KEY = "sk_test_sandbox0000000000"
SANDBOX_PUBLISHABLE_KEY = "pk_test_sandbox0000000000"

_READY_SECONDS = 60.0


_LINES_OF_A_LOG = 12


class _Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived: the orderly end of `run`, wherever it is."""


@click.command()
@click.option("--without-demo", is_flag=True, help="Do not fill the marketplace with examples.")
@click.option("--logs", is_flag=True, help="Show every process's log here instead of in files.")
def run(without_demo: bool, logs: bool) -> None:
    """Run everything, bringing what is missing.

    Server, worker and a small living marketplace. Without DATABASE_URL it starts a PostgreSQL of
    its own and keeps its data between runs; without STRIPE_SECRET_KEY it starts the Stripe
    sandbox. Ctrl-C stops all of it.
    """
    env = settings.read()
    given = configured_by(env, _not_brought(env))
    _require_free_ports(given)
    folder = None if logs else given.data_directory / "logs"
    with _signals_stop(), ExitStack() as held:
        asked = env
        env = _with_stripe(env, given)
        env = _with_database(env, given, held)
        complete = configured_by(env, settings.SERVING)
        supervisor = held.enter_context(Supervisor(logs=folder))
        try:
            _start(supervisor, env, complete, own_sandbox=not given.stripe_secret_key)
            filled = given.sandboxed and not without_demo
            if filled:
                _fill(supervisor, env, complete)
            held.enter_context(beside.told(given.data_directory, asked, env))
            _tell(complete, given, filled=filled, logs=folder)
            held.callback(click.echo, "\nStopping.")
            supervisor.watch()
        except ChildEnded as ended:
            raise _cannot_go_on(ended) from None


def _not_brought(env: dict[str, str]) -> list[str]:
    """What must be given because we do not bring it: a real Stripe has companions of its key."""
    if "STRIPE_SECRET_KEY" not in env:
        return []
    return [name for name in settings.SERVING if name not in settings.DATABASE]


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

    server = EmbeddedPostgres(given.data_directory / _data_folder(given))
    click.echo(f"Starting PostgreSQL on {server.data_directory}")
    try:
        held.enter_context(server)
    except EmbeddedPostgresFailed as error:
        raise Ended(NO_DATABASE, error.message, error.hint) from None
    except OSError as error:
        raise Ended(
            NO_DATABASE,
            f"the data directory {given.data_directory} cannot be used: {error}.",
            "Set MARKETPLACE_DATA_DIR to a folder of your own, or set DATABASE_URL.",
        ) from None
    return {**env, "DATABASE_URL": server.dsn}


def _data_folder(given: Settings) -> str:
    """Each Stripe has data of its own: one does not know the other's objects, and the demo's
    passwords, which everybody knows, must open nothing beside a real one."""
    if given.sandboxed:
        return "postgres"
    return "postgres-live" if given.live else "postgres-test"


def _start(
    supervisor: Supervisor, env: dict[str, str], complete: Settings, *, own_sandbox: bool
) -> None:
    if own_sandbox:
        # What a kept database knows of Stripe, the sandbox must know again.
        memory = str(complete.data_directory / "sandbox.json")
        click.echo(f"Starting the Stripe sandbox on port {complete.sandbox_port}")
        _stay(supervisor, "sandbox", env, "--state-file", memory)
    click.echo("Migrating the database")
    migration = supervisor.run("migrate", _ours("migrate"), env)
    click.echo(_indented(migration.said.splitlines()))
    if migration.exit_code:
        raise Ended(migration.exit_code, "the database could not be migrated; see above.")
    click.echo(f"Starting the server on port {complete.port}, and a worker")
    _stay(supervisor, "serve", env)
    _stay(supervisor, "work", env)
    _wait_for(supervisor, local_address(complete))


def _stay(supervisor: Supervisor, name: str, env: dict[str, str], *arguments: str) -> None:
    """Start one of our own commands that is to stay as long as we do."""
    try:
        supervisor.start(name, _ours(name, "--with-parent", *arguments), env)
    except OSError as error:
        raise Ended(
            FAILED,
            f"the log of `{name}` cannot be written: {error}.",
            "Set MARKETPLACE_DATA_DIR to a folder of your own, or use --logs.",
        ) from None


def _fill(supervisor: Supervisor, env: dict[str, str], complete: Settings) -> None:
    click.echo("Filling the demo: people buy, ship, refund and dispute through the API")
    demo = supervisor.run("demo", _ours("demo", "--without-sign-ins"), env)
    click.echo(_indented(demo.said.splitlines()))
    if demo.exit_code:
        raise Ended(
            FAILED,
            "the demo could not be filled; see above.",
            f"Remove {complete.data_directory} to begin anew, or use --without-demo.",
        )


def _tell(complete: Settings, given: Settings, *, filled: bool, logs: Path | None) -> None:
    addresses = {"API and documentation": f"{complete.public_url}/docs"}
    if complete.sandboxed:
        addresses["Stripe sandbox"] = f"{complete.stripe_api_base}/_sandbox"
    else:
        addresses["Stripe"] = f"{complete.stripe_api_base}, {'LIVE' if given.live else 'test'} mode"
    if complete.mailbox_shown:
        addresses["Mailbox"] = f"{complete.public_url}/mailbox"
    if not given.database_url:
        addresses["PostgreSQL"] = complete.database_url
    if logs is not None:
        addresses["Logs"] = str(logs)
    click.echo("\nThe marketplace is running.\n")
    for name, address in addresses.items():
        click.echo(f"  {name:23} {address}")
    click.echo()
    if filled:
        click.echo("\n".join(f"  {line}" for line in sign_ins()))
        key = f"Authorization: Bearer {BUYER.token}"
        click.echo(f"\n  Try  curl -H '{key}' {complete.public_url}/v1/orders")
        click.echo("  The README tells the whole story in such lines.")
    else:
        click.echo("  Make an admin with")
        click.echo(f"    {_program()} admin create --email you@example.com")
    click.echo("\nCtrl-C stops everything.")


def _cannot_go_on(ended: ChildEnded) -> Ended:
    end = _indented(ended.last_lines(_LINES_OF_A_LOG))
    remedy = f"The end of {ended.log}:\n{end}" if end else ""
    return Ended(FAILED, f"{ended}; everything else was stopped.", remedy)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


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


def _program() -> str:
    """How a person at this terminal calls us."""
    beside = Path(sys.executable).with_name("marketplace")
    return str(beside) if beside.exists() else "marketplace"


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
