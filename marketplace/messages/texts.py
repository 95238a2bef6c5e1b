"""What people read: every text we send, and how facts become words. Pure.

A line is left out when a fact that it names is not known; subjects and links name only what always is.
Facts are cleaned of line breaks and control characters, so that nothing that people typed can become a
header, and shortened, so that nobody can write a letter of their own through us.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from marketplace.messages.account_texts import PERSON
from marketplace.messages.admin_texts import ACTS, ADMIN, PARTIES
from marketplace.messages.buyer_texts import BUYER
from marketplace.messages.kinds import Kind
from marketplace.messages.sale_texts import SALE
from marketplace.messages.seller_texts import ACCOUNT, MONEY
from marketplace.messages.templates import Text
from payments.money import written

_LONGEST_FACT: Final = 300
_LONGEST_SUBJECT: Final = 150
_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)+")
# Control characters, line and paragraph separators, and marks that turn the direction of writing.
_UNSEEN: Final = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+"
)
_MONEY: Final = re.compile(r"(amount|total|[a-z_]+_amount)")
_TIME: Final = re.compile(r"[a-z_]+_(at|by|before)")


class FactMissing(Exception):
    """A text needs a fact that the message does not have: a programmer's mistake where it was told."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} needs {name}")
        self.kind, self.name = kind, name


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A text with its facts in it."""

    subject: str
    paragraphs: tuple[str, ...]
    link: str | None


TEXTS: Final[Mapping[Kind, Text]] = MappingProxyType(
    {**ACCOUNT, **BUYER, **SALE, **MONEY, **ADMIN, **PERSON, **PARTIES}
)
SECRET: Final = frozenset(kind for kind, text in TEXTS.items() if text.secret)
"""Kinds whose link carries a secret; they are about a mailed link, by its id."""


def letter(
    kind: Kind, facts: Mapping[str, Any], pages_url: str, *, secret: str | None = None
) -> Letter:
    """The text of a message, its link below `pages_url`; a link with a secret is left out without it.

    The secret is in the link's fragment, which browsers tell no server (RFC 9110, 4.2.5).

    Raises FactMissing when the subject or the link lacks a fact.
    """
    text, shown = TEXTS[kind], _shown(facts)
    told = (*text.lines, text.to_do or "")
    return Letter(
        subject=_cut(_filled(kind, text.subject, shown), _LONGEST_SUBJECT),
        paragraphs=tuple(
            _filled(kind, one, shown) for one in told if one and _tellable(one, shown)
        ),
        link=_link(kind, text, shown, pages_url, secret),
    )


def _link(
    kind: Kind, text: Text, shown: Mapping[str, str], pages_url: str, secret: str | None
) -> str | None:
    if text.path is None or (text.secret and secret is None):
        return None
    link = pages_url + _filled(kind, text.path, shown)
    return f"{link}#token={secret}" if text.secret else link


def _shown(facts: Mapping[str, Any]) -> dict[str, str]:
    currency = facts.get("currency")
    return {
        name: _word(name, fact, currency) for name, fact in facts.items() if fact not in (None, "")
    }


def _word(name: str, fact: Any, currency: Any) -> str:
    if _MONEY.fullmatch(name) and isinstance(fact, int) and isinstance(currency, str):
        return written(fact, currency)
    if _TIME.fullmatch(name):
        return _moment(fact)
    if name == "action":
        return ACTS.get(str(fact), str(fact))
    if isinstance(fact, list | tuple):
        return _cut(_UNSEEN.sub(" ", ", ".join(map(str, fact))).strip(), _LONGEST_FACT)
    word = _UNSEEN.sub(" ", str(fact)).strip()
    # Stripe's codes and ours are told as words; ids (a digit in them) stay as they are.
    return _cut(word.replace("_", " ") if _CODE.fullmatch(word) else word, _LONGEST_FACT)


def _moment(fact: Any) -> str:
    when = fact if isinstance(fact, datetime) else datetime.fromisoformat(str(fact))
    when = when.astimezone(UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def _tellable(line: str, shown: Mapping[str, str]) -> bool:
    return all(name in shown for name in _NAME.findall(line))


def _filled(kind: str, text: str, shown: Mapping[str, str]) -> str:
    def fact(found: "re.Match[str]") -> str:
        if found[1] not in shown:
            raise FactMissing(kind, found[1])
        return shown[found[1]]

    return _NAME.sub(fact, text)


def _cut(word: str, longest: int) -> str:
    return word if len(word) <= longest else word[: longest - 1] + "\u2026"
