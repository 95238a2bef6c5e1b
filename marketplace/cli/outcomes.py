"""How a command ends: one exit code for each kind of failure, and one place that says why."""

import asyncio
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from marketplace import settings
from marketplace.settings import Settings, SettingsRefused

FAILED = 1
REFUSED = 3
NO_DATABASE = 4
MIGRATIONS_PENDING = 5
ADDRESS_IN_USE = 6

EXIT_CODES = {
    0: "done, or stopped as asked",
    FAILED: "failed",
    2: "wrong usage",
    REFUSED: "configuration refused",
    NO_DATABASE: "database not reachable",
    MIGRATIONS_PENDING: "migrations pending",
    ADDRESS_IN_USE: "address already in use",
}


class Ended(click.ClickException):
    """A command cannot go on: what happened, what to do, and the exit code for scripts."""

    def __init__(self, code: int, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it for a class
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(click.style("error: ", fg="red") + self.message, err=True, file=file)
        if self.remedy:
            click.echo(f"  {self.remedy}", err=True, file=file)


def configured(require: Collection[str] = settings.SERVING) -> Settings:
    """The settings, or the end of the command with every problem told."""
    return configured_by(settings.read(), require)


def configured_by(env: dict[str, str], require: Collection[str]) -> Settings:
    """The settings of an environment we were handed."""
    try:
        return Settings.from_environment(env, require=require)
    except SettingsRefused as refused:
        raise Ended(REFUSED, f"the configuration is refused:\n{refused}") from None


@contextmanager
def database_outcomes(shown: str) -> Iterator[None]:
    """Turn what can go wrong with the database at `shown` into the end of the command."""
    from marketplace.migrating import MigrationFailed
    from payments.errors import DatabaseUnavailable

    try:
        yield
    except DatabaseUnavailable as error:
        raise Ended(
            NO_DATABASE,
            f"the database {shown} cannot be reached ({error.why}).",
            "Check DATABASE_URL and that the server is up; `marketplace doctor` tells more.",
        ) from None
    except MigrationFailed as error:
        raise Ended(FAILED, f"{error}.", "Nothing of it was kept; earlier ones were.") from None


def require_migrated(chosen: Settings) -> None:
    """End the command unless the database answers and has every migration we know."""
    from marketplace.migrating import migration_state

    with database_outcomes(chosen.database_shown()):
        state = asyncio.run(migration_state(chosen.database_url))
    if state.pending:
        raise Ended(
            MIGRATIONS_PENDING,
            f"{len(state.pending)} migrations are pending.",
            "Run `marketplace migrate` first.",
        )


def listening_socket(host: str, port: int, variable: str) -> socket.socket:
    """A socket bound to the address, or the end of the command naming the variable to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: only then does asyncio turn Nagle's algorithm off for the connections it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
        return listener
    except OSError as error:
        listener.close()
        raise Ended(
            ADDRESS_IN_USE,
            f"cannot listen on {host} port {port}: {error.strerror or error}.",
            f"Stop what uses it, or set {variable} to another value.",
        ) from None
