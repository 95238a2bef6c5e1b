"""One rule that must never be broken."""

import msgspec


class Invariant(msgspec.Struct, frozen=True, kw_only=True):
    """What must always be true, and the code it is known by."""

    code: str
    name: str


class Rule(Invariant, frozen=True, kw_only=True):
    """`query` answers the id of each row that breaks the rule, in its first column.

    `$1` are the first characters of an id (`payments.ids.id_floor`): only rows made since then are looked
    at; an empty text looks at all. `$2` is now, `$3` the moment of `$1`, before everything where all is
    looked at. A rule about what is recent says so of each table that it joins: the database would else read
    all of a large one.
    """

    query: str
