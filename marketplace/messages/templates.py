"""A template: what happened, what to do about it, and where. Pure."""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """Facts stand in braces. A line is left out when a fact that it names is not known."""

    subject: str
    lines: tuple[str, ...]
    to_do: str | None = None
    # Below the front-end's address: a path of `marketplace/pages/signposts.py`, with a query if need be.
    path: str | None = None
    # The link carries a secret, which is made when the mail is written and shown nowhere else.
    secret: bool = False
