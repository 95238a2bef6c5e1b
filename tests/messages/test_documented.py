"""The documents and the links in e-mails lead somewhere."""

import re
from datetime import UTC, datetime

from litestar.routes import HTTPRoute

from marketplace.app import create_app
from marketplace.messages.kinds import EVENT_TYPES
from marketplace.messages.signing import new_secret, signed_headers
from marketplace.messages.texts import TEXTS
from tests.api.harness import settings_for
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


def test_every_link_in_a_message_is_a_page_that_can_be_read() -> None:
    readable = {
        re.sub(r"\{[a-z_]+\}", "{}", route.path_format)
        for route in create_app(settings_for("")).routes
        if isinstance(route, HTTPRoute) and "GET" in route.route_handler_map
    }
    for kind, text in TEXTS.items():
        if text.path is not None:
            path = re.sub(r"\{[a-z_]+\}", "{}", text.path.partition("?")[0])
            assert path in readable, (kind, text.path)
