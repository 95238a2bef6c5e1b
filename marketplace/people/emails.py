"""E-mail addresses: one spelling each, so that one person cannot be two. Pure."""

import re
import unicodedata

from marketplace.people.errors import EmailRefused

_LONGEST = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
_LONGEST_LOCAL = 64
# What mail systems take in practice (RFC 5321's dot-string); quoted local parts are not worth their traps.
_SHAPE = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)


def canonical_email(typed: str) -> str:
    """The address as it is stored and compared: full-width letters folded (NFKC), lower case.

    Letters outside ASCII are refused: receipts could not be sent there, and lookalikes would make two
    accounts that people cannot tell apart. Raises EmailRefused.
    """
    if len(typed) > _LONGEST:
        raise EmailRefused
    address = unicodedata.normalize("NFKC", typed).strip().lower()
    if len(address) > _LONGEST or not _SHAPE.fullmatch(address):
        raise EmailRefused
    if len(address.partition("@")[0]) > _LONGEST_LOCAL:
        raise EmailRefused
    return address
