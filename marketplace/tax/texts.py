"""Text that people type in forms, as it is kept. Pure."""

import unicodedata


def canonical_text(typed: str, limit: int) -> str | None:
    """The text composed (NFC) and with single spaces; None when it is empty, longer than `limit`
    characters, or has characters that cannot be seen."""
    text = " ".join(unicodedata.normalize("NFC", typed).split())
    if not 1 <= len(text) <= limit:
        return None
    if any(unicodedata.category(character).startswith("C") for character in text):
        return None
    return text
