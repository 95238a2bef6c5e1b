"""What nobody may learn is stored nowhere and logged nowhere: each secret ever issued is looked for."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator

import structlog

from marketplace import logs
from payments.database import rows
from tests.faults.cast import key_of
from tests.mailbox import tokens_to
from tests.messages.receiver import receiving
from tests.stories.town import PASSWORD, SECRET_KEY, SECRETS, Person, Town


@contextlib.contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """What the program would write to its log, at its most talkative."""
    kept = structlog.get_config(), logging.root.handlers, logging.root.level
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        logs.configure("DEBUG")
        _forget_bound_loggers()
        try:
            yield told
        finally:
            _forget_bound_loggers()
            structlog.configure(**kept[0])
            logging.root.handlers, logging.root.level = kept[1], kept[2]


def _forget_bound_loggers() -> None:
    """Loggers that earlier tests used keep the configuration of their first line: make them ask again."""
    for module in list(sys.modules.values()):
        logger = getattr(module, "_log", None)
        if (
            module.__name__.startswith(("payments", "connect", "marketplace"))
            and logger is not None
        ):
            vars(logger).pop("bind", None)


async def test_no_secret_is_in_a_table_a_log_or_another_s_answer(
    town: Town, admin: Person, coach: Person, buyer: Person
) -> None:
    with everything_logged() as told:
        token, _ = await key_of(buyer, "orders:read")
        order = await buyer.order((await town.lists(coach), 1))
        checkout = await buyer.checkout(order["id"])
        setup = await buyer.post("/v1/cards/setup")
        await town.confirm(checkout, "pm_card_visa_chargeDeclined")
        await town.fault(fault="garbage", method="GET", path="/v1/payment_intents/*")
        await town.settle()
        await town.confirm(checkout)
        await town.settle()
        seen_by_others = [
            (await person.call("GET", f"/v1/orders/{order['id']}{what}")).text
            for person in (coach, admin, buyer)
            for what in ("", "/attempts", "/history", "/refunds")
        ]
    secrets = {
        "a client secret": checkout["client_secret"],
        "a setup's client secret": setup["client_secret"],
        "an API key": token,
        "a session": buyer.http.headers["Cookie"].partition("=")[2],
        "a password": PASSWORD,
        "Stripe's key": SECRET_KEY,
        "a signing secret": SECRETS["platform"],
    }
    stored = await _everything_stored()
    for name, secret in secrets.items():
        assert [table for table, text in stored if secret in text] == [], name
        assert secret not in told.getvalue(), name
        assert not any(secret in text for text in seen_by_others), name
    assert told.getvalue().count('"event"') > 10


async def test_a_webhook_secret_is_where_it_signs_and_nowhere_else(
    town: Town, admin: Person, coach: Person
) -> None:
    path = f"/v1/sellers/{coach.seller_id}/webhook-endpoints"
    with everything_logged() as told:
        async with receiving() as program:
            made = await coach.post(path, {"url": program.url})
            one = f"{path}/{made['endpoint']['id']}"
            rolled = await coach.post(f"{one}/secret")
            await coach.post(f"{one}/ping")
            await town.settle()
            answers = [(await coach.call("GET", each)).text for each in (path, one)]
            answers.append((await coach.call("GET", f"{one}/deliveries")).text)
            answers.append((await admin.call("GET", "/v1/admin/audit")).text)
    assert program.types == ["endpoint.ping"]
    stored = await _everything_stored()
    for secret in (made["secret"], rolled["secret"]):
        assert {table for table, text in stored if secret in text} == {"webhook_endpoints"}
        assert secret not in told.getvalue()
        assert not any(secret in text for text in (*answers, str(program.received)))


async def test_what_a_mailed_link_carries_is_in_its_mail_and_nowhere_else(
    town: Town, admin: Person, buyer: Person
) -> None:
    settings = town.composition.services.settings
    with everything_logged() as told:
        await buyer.call("POST", "/v1/password-resets", {"email": buyer.email}, key="forgot")
        await town.settle()
        [token] = tokens_to(settings, buyer.email, "password_reset_asked")
        [proof] = tokens_to(settings, buyer.email, "email_proof_asked")
        chosen = {"token": token, "password": "eight-herons-dance-at-dusk"}
        answers = [
            await buyer.call("POST", "/v1/passwords", chosen | {"password": "brief"}),
            await buyer.call("GET", "/v1/me/messages"),
            await buyer.call("GET", "/mailbox"),
            await buyer.call("POST", "/v1/passwords", chosen),
            await buyer.call("POST", "/v1/passwords", chosen),
            await admin.call("GET", "/v1/admin/audit"),
            await admin.call("GET", "/v1/admin/messages"),
        ]
        await town.settle()
    assert [each.status_code for each in answers] == [422, 200, 200, 204, 422, 200, 200]
    stored = await _everything_stored()
    for secret in (token, token.partition(".")[2], proof.partition(".")[2], chosen["password"]):
        assert [table for table, text in stored if secret in text] == []
        assert secret not in told.getvalue()
        assert not any(secret in each.text for each in answers)


async def _everything_stored() -> list[tuple[str, str]]:
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [
        (name, record[0])
        for (name,) in tables
        for record in await rows(f'SELECT t::text FROM "{name}" AS t')
    ]
