"""The two jobs: their servers, their requests, and the rows that prove the work was done."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from marketplace.catalog.listings import Kind
from marketplace.settings import Settings
from tests.benchmarks import checkout_limits, receipt_limits, seeding
from tests.benchmarks.databases import Server
from tests.benchmarks.deliveries import SECRET, deliveries
from tests.benchmarks.measuring import Contestant, Effort
from tests.benchmarks.processes import Served, serve
from tests.benchmarks.stripe_stub import serve_stub
from tests.benchmarks.wire import request

OURS = "ours"


class Places(msgspec.Struct, frozen=True):
    """Which cores a measured server runs on, and which everything else; empty where that cannot be told."""

    server: frozenset[int]
    rest: frozenset[int]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is measured with. `limits` False leaves only ours; `profile_into` profiles it.

    `stripe_seconds` is how long the stub of Stripe takes to answer.
    """

    server: Server
    places: Places
    effort: Effort
    listing_kind: Kind = "session"
    stripe_seconds: float = 0.0
    limits: bool = True
    profile_into: Path | None = None


def program(settings: Settings) -> Any:
    """The real program, as `marketplace serve` builds it."""
    from marketplace import logs
    from marketplace.app import create_app

    # A line a request is the program's own cost and is paid; where the lines go is not.
    with contextlib.redirect_stderr(os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")):
        logs.configure(settings.log_level)
    return create_app(settings)


@contextlib.contextmanager
def receiving(setting: Setting) -> Iterator[list[Contestant]]:
    """Job W: the servers that receive webhooks."""
    with contextlib.ExitStack() as stack:
        found = []
        if setting.limits:
            nothing = stack.enter_context(_served(setting, receipt_limits.no_work))
            found.append(
                Contestant(name="limit: bare ASGI, no work", served=nothing, requests=deliveries)
            )
            url = setting.server.prepare("receipt_limit")
            commit = _served(setting, receipt_limits.group_commit, url, SECRET)
            found.append(
                Contestant(
                    name="limit: bare ASGI, HMAC, group commit",
                    served=stack.enter_context(commit),
                    requests=deliveries,
                    kept=_counter(setting.server, "receipt_limit", "stripe_events"),
                )
            )
        url = setting.server.prepare("receipt_ours")
        found.append(
            Contestant(
                name=f"{OURS}: POST /webhooks/stripe/platform",
                served=stack.enter_context(_ours(setting, url, stripe_port=1)),
                requests=deliveries,
                ours=True,
                kept=_counter(setting.server, "receipt_ours", "stripe_events"),
            )
        )
        yield found


@contextlib.contextmanager
def checking_out(setting: Setting) -> Iterator[list[Contestant]]:
    """Job C: the servers that check out, and the stub of Stripe they ask."""
    url = setting.server.prepare("checkout_ours")
    effort, kind = setting.effort, setting.listing_kind
    orders = asyncio.run(seeding.seed(url, effort.all_requests, kind))
    with contextlib.ExitStack() as stack:
        stub = Served("the Stripe stub", serve_stub, setting.places.rest, setting.stripe_seconds)
        port = stack.enter_context(stub).port
        found = []
        if setting.limits:
            for database, title, build in (
                ("checkout_by_hand", "by hand: own HTTP client, asyncpg", checkout_limits.by_hand),
                (
                    "checkout_by_sdk",
                    "by hand: stripe-python on aiohttp, asyncpg",
                    checkout_limits.by_sdk,
                ),
            ):
                limit_url = setting.server.copy("checkout_ours", database)
                found.append(
                    Contestant(
                        name=f"limit {title}",
                        served=stack.enter_context(_served(setting, build, limit_url, port)),
                        requests=_checkouts(orders),
                        kept=_created(setting.server, database),
                    )
                )
        found.append(
            Contestant(
                name=f"{OURS}: POST /v1/orders/{{id}}/checkout",
                served=stack.enter_context(_ours(setting, url, port)),
                requests=_checkouts(orders),
                ours=True,
                before=lambda: asyncio.run(seeding.refresh_snapshots(url)),
                kept=_created(setting.server, "checkout_ours"),
            )
        )
        yield found


def _served(
    setting: Setting, build: Callable[..., Any], *arguments: Any, profile_into: Path | None = None
) -> Served:
    return Served(build.__name__, serve, setting.places.server, profile_into, build, *arguments)


def _ours(setting: Setting, database_url: str, stripe_port: int) -> Served:
    settings = Settings(
        database_url=database_url,
        stripe_secret_key=checkout_limits.SECRET_KEY,
        stripe_publishable_key="pk_test_benchmark00000000",
        stripe_webhook_secrets_platform=(SECRET,),
        stripe_webhook_secrets_accounts=(SECRET,),
        stripe_webhook_secrets_connect=(SECRET,),
        stripe_api_base=f"http://127.0.0.1:{stripe_port}",
    )
    return _served(setting, program, settings, profile_into=setting.profile_into)


def _counter(server: Server, database: str, table: str) -> Callable[[], int]:
    return lambda: server.number(f"SELECT count(*) FROM {table}", database=database)


def _created(server: Server, database: str) -> Callable[[], int]:
    """Payments that know their PaymentIntent and whose operation is concluded."""
    query = (
        "SELECT count(*) FROM payments p JOIN operations o ON o.subject = p.id "
        "WHERE p.intent_id = o.result_id AND o.state = 'succeeded'"
    )
    return lambda: server.number(query, database=database)


def _checkouts(orders: Sequence[seeding.WaitingOrder]) -> Callable[[int], list[bytes]]:
    left = iter(orders)

    def make(count: int) -> list[bytes]:
        return [_checkout(order) for order in itertools.islice(left, count)]

    return make


def _checkout(order: seeding.WaitingOrder) -> bytes:
    headers = {"authorization": f"Bearer {order.token}", "accept": "application/json"}
    return request("POST", f"/v1/orders/{order.id}/checkout", headers)
