"""A message as an e-mail: plain text, the same as simple HTML, and headers that tell programs what it is."""

import html
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import Any, Literal

import msgspec

from marketplace.messages.texts import Letter

_GREETING = "Hello {name},"
_SIGNATURE = "The marketplace"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A letter to one person. The id is our message's and stays the same when it is sent again."""

    message_id: str
    kind: str
    name: str
    address: str
    written_at: datetime
    letter: Letter


def mail(
    envelope: Envelope,
    *,
    sender: str,
    host: str,
    policy: "EmailPolicy[EmailMessage[Any, Any]]" = SMTP,
    cte: Literal["quoted-printable", "8bit"] = "quoted-printable",
) -> EmailMessage:
    """The e-mail; `sender` is its From, `host` ours, for the Message-ID."""
    message = EmailMessage(policy=policy)
    message["From"] = sender
    message["To"] = _recipient(envelope)
    message["Subject"] = envelope.letter.subject
    message["Date"] = format_datetime(envelope.written_at)
    # The same for every try: a mail system that gets it twice can tell.
    message["Message-ID"] = f"<{envelope.message_id}@{host}>"
    # Keeps out-of-office answers away (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Marketplace-Kind"] = envelope.kind
    message.set_content(plain(envelope), cte=cte)
    message.add_alternative(_as_html(envelope), subtype="html", cte=cte)
    return message


def plain(envelope: Envelope) -> str:
    """The letter as plain text."""
    parts = [_GREETING.format(name=envelope.name), *envelope.letter.paragraphs]
    if envelope.letter.link is not None:
        parts.append(envelope.letter.link)
    return "\n\n".join([*parts, _SIGNATURE]) + "\n"


def _recipient(envelope: Envelope) -> Address:
    name = "".join(one if one.isprintable() else " " for one in envelope.name)
    user, _, domain = envelope.address.rpartition("@")
    return Address(name, user, domain)


def _as_html(envelope: Envelope) -> str:
    paragraphs = [_GREETING.format(name=envelope.name), *envelope.letter.paragraphs]
    told = "".join(f"<p>{html.escape(one)}</p>\n" for one in paragraphs)
    link = envelope.letter.link
    if link is not None:
        address = html.escape(link)
        told += f'<p><a href="{address}">{address}</a></p>\n'
    return (
        '<!doctype html>\n<html lang="en"><body style="font-family:sans-serif;max-width:36rem">\n'
        f"{told}<p>{_SIGNATURE}</p>\n</body></html>\n"
    )
