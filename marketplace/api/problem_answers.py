"""How an error is told over HTTP: the shape of an entry in the problem tables."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

NOT_FOUND = "There is nothing here, or it is not yours"


class Answer(msgspec.Struct, frozen=True):
    """How an error is told.

    `code` is stable: programs may depend on it. `fields` are the error's attributes that the caller may
    see; `detail` may name them in braces, and
    `{why_words}` for what `why` means. `own_fields` are for admins and for the account that the error
    names in `account_id`: it is about them. `data` is told beside them.
    """

    status: int
    code: str
    title: str
    fields: tuple[str, ...] = ()
    detail: str = ""
    retry_after_seconds: int | None = None
    own_fields: tuple[str, ...] = ()
    data: Mapping[str, Any] = MappingProxyType({})


Entry = Answer | Callable[[Any], Answer | None]
"""An answer, or what finds it from the error's own data; None for what was not foreseen."""

Table = dict[type[BaseException], Entry]
