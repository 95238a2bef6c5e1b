"""A small SMTP server on loopback (RFC 5321): takes mail, signs in, speaks TLS, refuses, hangs up."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@dataclass
class SmtpServer:
    """What it received, and how it behaves."""

    tls: ssl.SSLContext | None = None
    starttls: bool = False
    user: tuple[str, str] | None = None
    # Replies to RCPT and to the end of DATA, instead of a yes.
    to_recipient: dict[str, str] = field(default_factory=dict)
    to_data: str = "250 taken"
    # Hangs up after so many letters, in the middle of the next.
    hangs_up_after: int | None = None
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    connections: int = 0

    async def talk(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        try:
            await _Talk(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Talk:
    def __init__(self, server: SmtpServer, reader: Reader, writer: Writer) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.secure = server.tls is not None and not server.starttls
        self.signed_in = False

    async def run(self) -> None:
        await self.say("220 small.example")
        while line := (await self.reader.readline()).decode().strip():
            verb = line.split(" ", 1)[0].upper()
            if verb == "QUIT":
                await self.say("221 bye")
                return
            handler = getattr(self, f"on_{verb.lower()}", None)
            if handler is None:
                await self.say("502 what?")
            else:
                await handler(line)

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{one}\r\n" for one in lines).encode())
        await self.writer.drain()

    async def on_ehlo(self, _: str) -> None:
        offers = ["AUTH PLAIN"] if self.server.user else []
        if self.server.starttls and not self.secure:
            offers.append("STARTTLS")
        lines = ["small.example", *offers]
        await self.say(*[f"250-{one}" for one in lines[:-1]], f"250 {lines[-1]}")

    async def on_starttls(self, _: str) -> None:
        await self.say("220 go on")
        assert self.server.tls is not None
        await self.writer.start_tls(self.server.tls)
        self.secure = True

    async def on_auth(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[-1]).decode().split("\0")
        self.signed_in = (user, password) == self.server.user
        await self.say("235 welcome" if self.signed_in else "535 no")

    async def on_noop(self, _: str) -> None:
        await self.say("250 yes")

    async def on_rset(self, _: str) -> None:
        await self.say("250 forgotten")

    async def on_mail(self, _: str) -> None:
        wanted = self.server.user is not None and not self.signed_in
        await self.say("530 sign in" if wanted else "250 yes")

    async def on_rcpt(self, line: str) -> None:
        address = line[line.index("<") + 1 : line.index(">")]
        await self.say(self.server.to_recipient.get(address, "250 yes"))

    async def on_data(self, _: str) -> None:
        await self.say("354 write")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        if self.server.hangs_up_after == len(self.server.received):
            raise ConnectionResetError
        if self.server.to_data.startswith("250"):
            self._take(raw[:-5])
        await self.say(self.server.to_data)

    def _take(self, raw: bytes) -> None:
        message = message_from_bytes(raw.replace(b"\r\n..", b"\r\n."), policy=default)
        self.server.received.append(message)  # type: ignore[arg-type]
        self.server.signed_in.append(self.signed_in)
        self.server.secured.append(self.secure)


@asynccontextmanager
async def smtp_server(server: SmtpServer) -> AsyncIterator[SmtpServer]:
    """Run it on a free port."""
    direct_tls = None if server.starttls else server.tls
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=direct_tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
