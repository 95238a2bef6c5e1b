"""Names that people are shown by. Pure."""

import unicodedata

from marketplace.people.errors import NameRefused

NAME_LIMIT = 120


def canonical_name(typed: str, *, limit: int = NAME_LIMIT) -> str:
    """The name without outer and doubled spaces (NFC). Raises NameRefused.

    Control and formatting characters are refused: they can turn text around and make two names look
    the same; so are unassigned ones.
    """
    if len(typed) > limit * 4:
        raise NameRefused(limit)
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    if not 1 <= len(name) <= limit or any(_invisible(character) for character in name):
        raise NameRefused(limit)
    return name


def _invisible(character: str) -> bool:
    # Cf is refused but for the joiner that families of emoji and some scripts are written with.
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} and character not in {
        "\u200c",
        "\u200d",
    }
