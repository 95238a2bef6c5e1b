"""Where e-mails go: to an SMTP server, or into a readable mailbox on this machine. Neither retries."""

import asyncio
import contextlib
import os
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.policy import SMTPUTF8
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from marketplace.messages.mails import Envelope, mail

SOCKET_SECONDS = 15.0
"""How long one word of the SMTP server may take."""
_NO_SUCH_MAILBOX = frozenset({550, 551, 553})
"""Replies that are about the address (RFC 5321). Policy and relaying (5.7.x, RFC 3463) are ours to repair."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of one e-mail: `refused` is for ever, `later` is worth another try."""

    state: Literal["sent", "refused", "later"]
    note: str | None = None


SENT = Outcome("sent")


class Post(Protocol):
    """Sends e-mails; answers what became of each, in their order, and never raises for one of them."""

    async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]: ...


class Smtp:
    """An SMTP server: `smtps://` is TLS from the start, `smtp://` takes STARTTLS when it is offered.

    A password is never sent in the clear, except to this machine.
    """

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        host: str,
        trusted: ssl.SSLContext | None = None,
        socket_seconds: float = SOCKET_SECONDS,
    ) -> None:
        self._server = urlsplit(url)
        self._sender, self._host = sender, host
        self._trusted, self._socket_seconds = trusted, socket_seconds

    async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """Send them over one connection, in a thread of its own."""
        return await asyncio.to_thread(self._deliver, envelopes)

    async def check(self) -> None:
        """Connect and sign in, without sending. Raises OSError or smtplib.SMTPException."""
        await asyncio.to_thread(self._greet)

    def _greet(self) -> None:
        with self._connected() as smtp:
            smtp.noop()

    def _deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            with self._connected() as smtp:
                for envelope in envelopes:
                    outcomes.append(self._send(smtp, envelope))
        except (OSError, smtplib.SMTPException) as error:
            missing = len(envelopes) - len(outcomes)
            outcomes += [Outcome("later", _said(error))] * missing
        return outcomes

    def _send(self, smtp: smtplib.SMTP, envelope: Envelope) -> Outcome:
        try:
            smtp.send_message(mail(envelope, sender=self._sender, host=self._host))
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            return _answer(code, words)
        except smtplib.SMTPDataError as error:
            return _answer(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPNotSupportedError, MessageError, ValueError) as error:
            # An address that the server, or the e-mail format, cannot say.
            return Outcome("refused", _said(error))
        return SENT

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server, secure = self._server, self._server.scheme == "smtps"
        host, port = server.hostname or "", server.port or default_port(server)
        context = self._trusted or ssl.create_default_context()
        smtp: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=self._socket_seconds, context=context)
            if secure
            else smtplib.SMTP(host, port, timeout=self._socket_seconds)
        )
        with smtp:
            smtp.ehlo()
            if not secure and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                smtp.ehlo()
                secure = True
            self._sign_in(smtp, secure=secure or _is_this_machine(host))
            yield smtp

    def _sign_in(self, smtp: smtplib.SMTP, *, secure: bool) -> None:
        if self._server.username is None:
            return
        if not secure:
            raise smtplib.SMTPNotSupportedError("no TLS: the password is not sent in the clear")
        smtp.login(unquote(self._server.username), unquote(self._server.password or ""))


class Mailbox:
    """A folder of .eml files, one for each e-mail, to be read with any mail program or editor."""

    def __init__(self, folder: Path, *, sender: str, host: str) -> None:
        self._folder, self._sender, self._host = folder, sender, host

    async def deliver(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """Write them; the same message again is the same file."""
        return await asyncio.to_thread(lambda: [self._write(one) for one in envelopes])

    def _write(self, envelope: Envelope) -> Outcome:
        name = f"{envelope.written_at:%Y%m%dT%H%M%S}-{envelope.kind}-{envelope.message_id}.eml"
        try:
            message = mail(
                envelope, sender=self._sender, host=self._host, policy=SMTPUTF8, cte="8bit"
            )
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = self._folder / f".{name}"
            # Other people's mail: nobody else on this machine reads it.
            with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(bytes(message))
            half.replace(self._folder / name)
        except OSError as error:
            return Outcome("later", _said(error))
        except (MessageError, ValueError) as error:
            return Outcome("refused", _said(error))
        return SENT


def default_port(server: SplitResult) -> int:
    """465 for smtps; 587, where people sign in, or 25 for smtp."""
    if server.scheme == "smtps":
        return 465
    return 25 if server.username is None else 587


def _answer(code: int, words: bytes | str) -> Outcome:
    said = words.decode(errors="replace") if isinstance(words, bytes) else words
    about_the_address = code in _NO_SUCH_MAILBOX and "5.7." not in said
    state: Literal["refused", "later"] = "refused" if about_the_address else "later"
    return Outcome(state, f"{code} {' '.join(said.split())}"[:300])


def _said(error: Exception) -> str:
    """What went wrong, without what a library may quote of the letter."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error).note or ""
    return type(error).__name__


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
