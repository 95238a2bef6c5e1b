"""Only Stripe's signature over the raw bytes, now, opens the door."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.errors import SignatureRefused
from payments.signatures import verify

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SECRET = "whsec_of_the_platform"
BODY = b'{"id": "evt_1", "object": "event"}'


def signature(body: bytes, secret: str, at: datetime = NOW) -> str:
    message = f"{int(at.timestamp())}.".encode() + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def header(body: bytes = BODY, *secrets: str, at: datetime = NOW) -> str:
    signed = [f"v1={signature(body, secret, at)}" for secret in secrets or (SECRET,)]
    return ",".join([f"t={int(at.timestamp())}", *signed])


def refused(body: bytes, given_header: str | None, secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(SignatureRefused) as caught:
        verify(body, given_header, secrets, NOW)
    return caught.value.why


def test_stripes_own_signature_is_accepted() -> None:
    verify(BODY, header(), (SECRET,), NOW)


def test_while_a_secret_is_rolled_either_is_accepted() -> None:
    verify(BODY, header(BODY, "whsec_old"), ("whsec_new", "whsec_old"), NOW)
    verify(BODY, header(BODY, "whsec_old", "whsec_new"), ("whsec_new",), NOW)


@given(st.binary(min_size=1, max_size=200))
def test_a_signature_is_good_for_its_own_bytes_only(body: bytes) -> None:
    verify(body, header(body), (SECRET,), NOW)
    assert refused(body + b" ", header(body)) == "no_match"


def test_another_secrets_signature_is_refused() -> None:
    assert refused(BODY, header(BODY, "whsec_of_somebody_else")) == "no_match"


@pytest.mark.parametrize(
    ("seconds", "why"), [(-301, "stale"), (-86400, "stale"), (301, "from_the_future")]
)
def test_a_time_too_far_from_ours_is_refused(seconds: int, why: str) -> None:
    assert refused(BODY, header(at=NOW + timedelta(seconds=seconds))) == why


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_tolerated(seconds: int) -> None:
    verify(BODY, header(at=NOW + timedelta(seconds=seconds)), (SECRET,), NOW)


def test_a_time_changed_after_signing_is_refused() -> None:
    later = header().replace(f"t={int(NOW.timestamp())}", f"t={int(NOW.timestamp()) + 1}")
    assert refused(BODY, later) == "no_match"


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, "")])
def test_an_empty_secret_refuses_everything(secrets: tuple[str, ...]) -> None:
    assert refused(BODY, header(), secrets) == "no_secret"
    assert refused(BODY, header(BODY, ""), secrets) == "no_secret"


@pytest.mark.parametrize(
    ("given_header", "why"),
    [
        (None, "missing"),
        ("", "missing"),
        ("nonsense", "malformed"),
        ("v1=abc", "malformed"),
        ("t=,v1=abc", "malformed"),
        ("t=-5,v1=abc", "malformed"),
        ("t=1e9,v1=abc", "malformed"),
        ("t=1,t=2,v1=abc", "malformed"),
        ("t=" + "9" * 40 + ",v1=abc", "malformed"),
        (f"t={int(NOW.timestamp())}", "no_v1"),
        (f"t={int(NOW.timestamp())},v1=é", "malformed"),
        (f"t={int(NOW.timestamp())},v1=", "no_match"),
        ("t=٣,v1=abc", "malformed"),
        (header() + "," + "v1=0," * 2000, "malformed"),
    ],
)
def test_a_header_that_is_not_stripes_is_refused(given_header: str | None, why: str) -> None:
    assert refused(BODY, given_header) == why


def test_the_decoy_scheme_is_ignored() -> None:
    assert refused(BODY, header().replace("v1=", "v0=")) == "no_v1"


@given(st.text(max_size=120))
def test_no_header_at_all_makes_it_fail_otherwise(text: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, text, (SECRET,), NOW)
