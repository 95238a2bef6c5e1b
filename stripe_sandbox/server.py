"""The sandbox as an ASGI application and as a server.

async with running_sandbox(SandboxConfig(port=0)) as sandbox:
    ...  # sandbox.base_url is where Stripe now is
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import operations
from .api import answer_api
from .challenges import answer_challenge
from .config import SandboxConfig
from .control import answer_control
from .errors import StripeError
from .http import (
    CUT,
    Answer,
    ConnectionCut,
    Message,
    Receive,
    Request,
    Send,
    cut_connection,
    read_request,
    write_answer,
)
from .keeping import keep_saving, open_sandbox, save
from .login_links import answer_dashboard
from .onboarding import answer_page
from .sandbox import Sandbox

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, "
    "Stripe-Account, Stripe-Version",
    "access-control-expose-headers": "Request-Id, Idempotent-Replayed",
    "access-control-max-age": "300",
}
"""Browsers call Stripe from the platform's pages, with the publishable key and no cookies."""

PAGES: dict[str, Callable[[Sandbox, Request], Answer]] = {
    "3ds": answer_challenge,
    "dashboard": answer_dashboard,
    "onboarding": answer_page,
}
"""What people see of Stripe, by the first part of the path."""

App = Callable[[Message, Receive, Send], Awaitable[None]]


def create_app(config: SandboxConfig | None = None) -> App:
    """A sandbox as an ASGI application; its lifespan starts and stops the deliveries.

    Raises UnreadableState for a state file that cannot be used.
    """
    return app_of(open_sandbox(config or SandboxConfig()))


def app_of(sandbox: Sandbox) -> App:
    """The ASGI application of a sandbox one already holds."""
    assert operations.ALL, "the operations register themselves when they are imported"

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(sandbox, receive, send)
        elif scope["type"] == "http":
            await _serve_request(sandbox, scope, receive, send)

    return app


async def _live(sandbox: Sandbox, receive: Receive, send: Send) -> None:
    path = sandbox.config.state_file
    await receive()
    saving = asyncio.create_task(keep_saving(sandbox, path)) if path is not None else None
    await sandbox.deliveries.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await sandbox.deliveries.stop()
    if saving is not None and path is not None:
        saving.cancel()
        save(sandbox, path)
    await send({"type": "lifespan.shutdown.complete"})


async def _serve_request(sandbox: Sandbox, scope: Message, receive: Receive, send: Send) -> None:
    try:
        answer = await _answer(sandbox, await read_request(scope, receive))
    except StripeError as error:
        answer = Answer.json(error.body(), error.status)
    except ConnectionCut:
        await cut_connection(scope, receive)
        return
    await write_answer(answer, send)


async def _answer(sandbox: Sandbox, request: Request) -> Answer:
    area = request.path.split("/", 2)[1]
    sandbox.changes += request.method != "GET" or area in PAGES
    if area == "_sandbox":
        return await answer_control(sandbox, request)
    if area in PAGES:
        return PAGES[area](sandbox, request)
    if request.method == "OPTIONS":
        return Answer(204, b"", dict(CORS))
    answer = await answer_api(sandbox, request)
    answer.headers.update(CORS)
    return answer


# -------------------------------------------------------------------------------------- serving


class CuttableProtocol(HttpToolsProtocol):
    """HTTP that lets the application abort its connection, so that a lost answer is truly lost."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"abort": self.transport.abort}}


class GuestServer(uvicorn.Server):
    """A server inside somebody else's event loop: signals stay theirs."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@dataclass(slots=True, frozen=True)
class RunningSandbox:
    """A sandbox that answers at `base_url`; `sandbox` is its inside, for tests in this process."""

    base_url: str
    sandbox: Sandbox


def _uvicorn(app: App, config: SandboxConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


@asynccontextmanager
async def running_sandbox(config: SandboxConfig | None = None) -> AsyncIterator[RunningSandbox]:
    """A sandbox served from the running event loop, stopped on leaving; port 0 finds a free one.

    Raises UnreadableState for a state file that cannot be used.
    """
    config = config or SandboxConfig(port=0)
    sandbox = open_sandbox(config)
    server = GuestServer(_uvicorn(app_of(sandbox), config))
    with _listener(config.host, config.port) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if task.done():
                    task.result()
                    raise RuntimeError("the sandbox did not start")
                await asyncio.sleep(0.005)
            port = listener.getsockname()[1]
            yield RunningSandbox(f"http://{config.host}:{port}", sandbox)
        finally:
            server.should_exit = True
            await task


def _listener(host: str, port: int) -> socket.socket:
    # named as TCP: only then does asyncio turn Nagle's algorithm off for what it accepts, and
    # an answer's head and body are not 40 ms apart
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(config: SandboxConfig) -> None:
    """Serve a sandbox until SIGINT or SIGTERM; UnreadableState for an unusable state file."""
    uvicorn.Server(_uvicorn(create_app(config), config)).run()
