"""What lies in the mailbox, and the links that only the mails carry."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from marketplace.settings import Settings

_TOKEN = re.compile(r"#token=(\S+)")


def mails_to(settings: Settings, address: str, *, kind: str = "") -> list[EmailMessage]:
    """The e-mails to an address, the first one first; of one kind, if it is said."""
    folder = settings.mailbox
    assert folder is not None
    read = [
        message_from_bytes(one.read_bytes(), policy=default) for one in sorted(folder.iterdir())
    ]
    return [one for one in read if address in one["To"] and kind in ("", one["X-Marketplace-Kind"])]


def text_of(mail: EmailMessage) -> str:
    """What is written in it."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def tokens_to(settings: Settings, address: str, kind: str) -> list[str]:
    """What the links in the mails of this kind carry, the oldest first."""
    found = [_TOKEN.search(text_of(one)) for one in mails_to(settings, address, kind=kind)]
    return [one[1] for one in found if one]
