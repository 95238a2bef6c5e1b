"""Opaque secrets: made here, shown once, stored as their SHA-256. Pure but for the random source."""

import hashlib
import hmac
import secrets

_SESSION_BYTES = 32


def new_session_token() -> str:
    """256 random bits; says nothing and cannot be guessed, so it needs no slow hash."""
    return secrets.token_urlsafe(_SESSION_BYTES)


def new_api_token(*, live: bool) -> str:
    """A program's key, 256 bits behind a prefix by which a leak is recognised."""
    return f"mk_{'live' if live else 'test'}_{secrets.token_urlsafe(_SESSION_BYTES)}"


def hashed(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token_of(session_token: str) -> str:
    """The token a page sends in a header to show that it can read our answers.

    Derived from the session's, one way: a page that was reloaded can be told it again, and a leaked
    CSRF token opens no session.
    """
    return hmac.new(session_token.encode(), b"csrf", hashlib.sha256).hexdigest()
