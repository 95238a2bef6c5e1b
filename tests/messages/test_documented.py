"""What the documents tell of webhooks is so."""

from datetime import UTC, datetime

from marketplace.messages.kinds import EVENT_TYPES
from marketplace.messages.signing import new_secret, signed_headers
from tests.messages.receiver import is_signed
from tests.running.documents import API
from tests.running.markdown import blocks, coded, section, tables


def test_every_type_of_event_is_told() -> None:
    (rows,) = tables(section(API, "Webhooks of your own"))
    assert [name for row in rows for name in coded(row[0])] == list(EVENT_TYPES)


def test_the_verification_that_is_told_verifies() -> None:
    """Run as it stands: on a delivery that another implementation says is signed."""
    (code,) = [
        one.text for one in blocks(section(API, "Webhooks of your own")) if one.language == "python"
    ]
    told: dict[str, object] = {}
    exec(code, told)
    is_ours = told["is_ours"]
    secret, body = new_secret(), b'{"type":"order.paid"}'
    headers = signed_headers("evt_1", datetime.now(UTC), body, [new_secret(), secret])
    assert is_signed({"headers": headers, "body": body}, secret)
    assert is_ours(headers, body, secret)  # type: ignore[operator]
    assert not is_ours(headers, body + b" ", secret)  # type: ignore[operator]
    assert not is_ours(headers, body, new_secret())  # type: ignore[operator]
    old = signed_headers("evt_1", datetime(2020, 1, 1, tzinfo=UTC), body, [secret])
    assert not is_ours(old, body, secret)  # type: ignore[operator]
