"""Which passwords are refused: length and a block list, no composition rules (NIST SP 800-63B-4). Pure."""

import unicodedata
from functools import cache
from importlib.resources import files

from marketplace.people.errors import PasswordRefused

SHORTEST = 8
LONGEST = 128

# Rows of keys and of the alphabet: any run of them is as easy as one letter repeated.
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "!@#$%^&*()",
)


def canonical_password(typed: str) -> str:
    """The password as it is hashed: the same on every keyboard and system (NFKC).

    Raises PasswordRefused(too_long) before anything is computed on it.
    """
    if len(typed) > LONGEST:
        raise PasswordRefused("too_long", limit=LONGEST)
    password = unicodedata.normalize("NFKC", typed)
    if len(password) > LONGEST:
        raise PasswordRefused("too_long", limit=LONGEST)
    return password


def require_acceptable(password: str, *, email: str, display_name: str) -> None:
    """Raise PasswordRefused unless `password` (canonical) may be chosen by this person."""
    if len(password) < SHORTEST:
        raise PasswordRefused("too_short", limit=SHORTEST)
    plain = password.casefold()
    if _is_simple(plain) or plain in _common() or _without_tail(plain) in _common():
        raise PasswordRefused("too_common")
    if _names(plain, email, display_name):
        raise PasswordRefused("names_you")


def _is_simple(plain: str) -> bool:
    """One or two characters repeated, one short part repeated, or a run of neighbouring keys."""
    if len(set(plain)) <= 2:
        return True
    if any(plain == (plain[:size] * len(plain))[: len(plain)] for size in (1, 2, 3, 4)):
        return True
    return any(plain in run * 2 or plain in (run * 2)[::-1] for run in _RUNS)


def _without_tail(plain: str) -> str:
    """`sunshine2024!` is `sunshine` to those who guess."""
    return plain.rstrip("0123456789!?.*#$@_-")


def _names(plain: str, email: str, display_name: str) -> bool:
    name = display_name.casefold()
    own = {email, email.partition("@")[0], name, "".join(name.split())}
    bare = _without_tail(plain)
    return any(plain == word or (len(word) >= 4 and bare == word) for word in own)


@cache
def _common() -> frozenset[str]:
    text = files(__package__).joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.split() if not line.startswith("#"))
