"""One rule that must never be broken."""

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`query` answers the id of each row that breaks the rule, in its first column.

    `$1` are the first characters of an id (`payments.ids.id_floor`): only rows made since then are looked
    at; an empty text looks at all.
    """

    code: str
    name: str
    query: str
