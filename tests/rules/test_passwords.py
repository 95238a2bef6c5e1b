"""Which passwords, e-mail addresses and names are taken, and which are refused."""

import pytest

from marketplace.people.emails import canonical_email
from marketplace.people.errors import EmailRefused, NameRefused, PasswordRefused
from marketplace.people.names import canonical_name
from marketplace.people.passwords import LONGEST, canonical_password, require_acceptable


def refusal_of(password: str) -> str | None:
    try:
        require_acceptable(
            canonical_password(password), email="ada@example.com", display_name="Ada Lovelace"
        )
    except PasswordRefused as refused:
        return refused.why
    return None


@pytest.mark.parametrize(
    "password",
    [
        "seven-otters-sing-at-dawn",
        "Tr0ub4dor&3",
        "пароль-из-пяти-слов",
        "correct pony battery",
        "🦦🦦🐍🐍🦉🦉🐝🐝",
        "x" * 60 + "y" * 60 + "zzzzzzzz",
    ],
)
def test_a_password_of_ones_own_is_taken(password: str) -> None:
    assert refusal_of(password) is None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "too_short"),
        ("aB3$xyz", "too_short"),
        ("x7" * (LONGEST // 2) + "x", "too_long"),
        ("password", "too_common"),
        ("PassWord", "too_common"),
        ("Sunshine2024!", "too_common"),
        ("p@ssw0rd", "too_common"),
        ("\uff50\uff41\uff53\uff53word", "too_common"),  # full-width letters are the same password
        ("aaaaaaaaaaaa", "too_common"),
        ("abababababab", "too_common"),
        ("abcabcabcabc", "too_common"),
        ("12345678", "too_common"),
        ("87654321", "too_common"),
        ("qwertyuiop", "too_common"),
        ("poiuytrewq", "too_common"),
        ("cdefghijkl", "too_common"),
        ("ada@example.com", "names_you"),
        ("adalovelace", "names_you"),
        ("Ada Lovelace1", "names_you"),
    ],
)
def test_a_password_others_would_guess_is_refused(password: str, why: str) -> None:
    assert refusal_of(password) == why


def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    assert canonical_password("cafe\u0301-au-lait") == canonical_password("caf\u00e9-au-lait")


def test_spaces_in_a_password_are_kept() -> None:
    assert canonical_password(" seven otters ") == " seven otters "


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada+shop@mail.example.com ", "ada+shop@mail.example.com"),
        ("\uff41\uff44\uff41@example.com", "ada@example.com"),
        ("o'brien@a-b.example", "o'brien@a-b.example"),
    ],
)
def test_an_address_has_one_spelling(typed: str, stored: str) -> None:
    assert canonical_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@@example.com",
        "ada@ex ample.com",
        "ada@-example.com",
        "ada@example..com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        '"ada"@example.com',
        "ada@[127.0.0.1]",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@exämple.com",
        "\u0430da@example.com",  # the first letter is Cyrillic
        "ada\0@example.com",
        f"{'a' * 65}@example.com",
        f"ada@{'a' * 64}.com",
        f"ada@{'a.' * 130}com",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(EmailRefused):
        canonical_email(typed)


def test_a_refused_address_is_not_in_the_error() -> None:
    with pytest.raises(EmailRefused) as refused:
        canonical_email("my-password-by-mistake")
    assert "password" not in repr(refused.value)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("  Ada   Lovelace ", "Ada Lovelace"), ("Zoë", "Zoë"), ("李小龍", "李小龍"), ("👩‍🔧", "👩‍🔧")],
)
def test_a_name_is_shown_as_it_is_meant(typed: str, shown: str) -> None:
    assert canonical_name(typed) == shown


@pytest.mark.parametrize(
    "typed", ["", "   ", "a" * 121, "Ada\0", "Ada\u202eecalevoL", "Ada\ud800", "Ada\x07"]
)
def test_a_name_with_nothing_to_see_or_too_much_is_refused(typed: str) -> None:
    with pytest.raises(NameRefused):
        canonical_name(typed)
