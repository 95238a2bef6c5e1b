"""What must hold when people act at the same moment, and what is swept away."""

import asyncio
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from marketplace.oversight.audit import record
from marketplace.paging import PageRequest
from marketplace.people import limits, sessions
from marketplace.people.api_keys import IssuedApiKey
from marketplace.people.errors import (
    AccountNotFound,
    CredentialsWrong,
    EmailTaken,
    NotSignedIn,
    TooManyApiKeys,
    TooManyTries,
)
from marketplace.people.limits import Limit, take
from marketplace.people.people import People
from payments.database import execute, transaction, value
from payments.errors import NoTransaction
from tests.clocks import MovedClock

PASSWORD = "seven-otters-sing-at-dawn"


async def sign_up(people: People, email: str) -> str:
    account = await people.sign_up(
        email=email, password=PASSWORD, display_name="Ada", address="192.0.2.1"
    )
    return account.id


async def sign_in(people: People, email: str, password: str = PASSWORD) -> str:
    _, opened = await people.sign_in(email=email, password=password, address="192.0.2.1")
    return opened.token


async def test_of_many_sign_ups_with_one_address_one_wins(people: People) -> None:
    tries = [sign_up(people, "race@example.com") for _ in range(10)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert len([each for each in found if isinstance(each, str)]) == 1
    assert len([each for each in found if isinstance(each, EmailTaken)]) == 9


async def test_every_try_is_counted_when_many_come_at_once(
    database: None, clock: MovedClock
) -> None:
    three = Limit(allowed=3, window_seconds=60)
    tries = [take("together", three, clock()) for _ in range(20)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert found.count(None) == 3
    refused = [each for each in found if isinstance(each, TooManyTries)]
    assert len(refused) == 17
    assert refused[0].retry_after_seconds == 60


async def test_a_window_begins_anew_and_hammering_does_not_prolong_it(
    database: None, clock: MovedClock
) -> None:
    two = Limit(allowed=2, window_seconds=60)
    for _ in range(50):
        try:
            await take("hammered", two, clock())
        except TooManyTries as refused:
            wait = refused.retry_after_seconds
    assert wait == 60
    assert await value("SELECT used FROM limits WHERE bucket = 'hammered'") == 3
    clock.move(seconds=45)
    with pytest.raises(TooManyTries) as refused_again:
        await take("hammered", two, clock())
    assert refused_again.value.retry_after_seconds == 15
    clock.move(seconds=15)
    await take("hammered", two, clock())


async def test_an_old_hash_is_renewed_at_sign_in(people: People) -> None:
    account_id = await sign_up(people, "outdated@example.com")
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    await execute("UPDATE accounts SET password_hash = $2 WHERE id = $1", account_id, weak)
    await sign_in(people, "outdated@example.com")
    renewed = await value("SELECT password_hash FROM accounts WHERE id = $1", account_id)
    assert "m=19456,t=2,p=1" in renewed
    await sign_in(people, "outdated@example.com")


async def test_a_disabled_account_is_shut_out_at_once(people: People, clock: MovedClock) -> None:
    account_id = await sign_up(people, "disabled@example.com")
    token = await sign_in(people, "disabled@example.com")
    issued = await people.api_keys.issue(
        account_id,
        is_admin=False,
        name="Program",
        scopes=["orders:read"],
        expires_at=None,
        now=clock(),
    )
    await execute("UPDATE accounts SET disabled_at = $2 WHERE id = $1", account_id, clock())
    with pytest.raises(NotSignedIn):
        await people.account_of_session(token)
    with pytest.raises(NotSignedIn):
        await people.owner_of_api_key(issued.token)
    with pytest.raises(CredentialsWrong):
        await sign_in(people, "disabled@example.com")
    with pytest.raises(AccountNotFound):
        await people.change_password(
            account_id, current=PASSWORD, new="something-else-here", session_token=token
        )


async def test_an_admin_who_no_longer_is_one_has_an_admin_s_key_no_more(
    people: People, clock: MovedClock
) -> None:
    admin = await people.create_admin("was-admin@example.com", PASSWORD, "Root")
    issued = await people.api_keys.issue(
        admin.id,
        is_admin=True,
        name="Fees",
        scopes=["fees:read", "orders:read"],
        expires_at=None,
        now=clock(),
    )
    assert (await people.owner_of_api_key(issued.token)).scopes == {"fees:read", "orders:read"}
    await execute("UPDATE accounts SET is_admin = false WHERE id = $1", admin.id)
    assert (await people.owner_of_api_key(issued.token)).scopes == {"orders:read"}


async def test_an_account_has_room_for_fifty_keys_and_not_one_more(
    people: People, clock: MovedClock
) -> None:
    account_id = await sign_up(people, "many-keys@example.com")

    async def issue(number: int) -> IssuedApiKey:
        return await people.api_keys.issue(
            account_id,
            is_admin=False,
            name=f"Key {number}",
            scopes=["orders:read"],
            expires_at=None,
            now=clock(),
        )

    for number in range(45):
        await issue(number)
    # No more at once: each waits for those before it, and nobody waits longer than the database allows.
    found = await asyncio.gather(*map(issue, range(45, 53)), return_exceptions=True)
    assert [type(each) for each in found].count(TooManyApiKeys) == 3, found
    first = await people.api_keys.list(account_id, PageRequest(limit=30))
    after = PageRequest(limit=30, starting_after=first.data[-1].id)
    rest = await people.api_keys.list(account_id, after)
    assert (first.has_more, rest.has_more) == (True, False)
    assert len({key.id for key in (*first.data, *rest.data)}) == 50


async def test_of_two_password_changes_at_once_one_wins(people: People) -> None:
    account_id = await sign_up(people, "two-changes@example.com")
    token = await sign_in(people, "two-changes@example.com")
    changes = [
        people.change_password(account_id, current=PASSWORD, new=new, session_token=token)
        for new in ("first-new-password", "second-new-password")
    ]
    found = await asyncio.gather(*changes, return_exceptions=True)
    assert found.count(None) == 1
    assert len([each for each in found if isinstance(each, CredentialsWrong)]) == 1


async def test_no_session_begun_with_the_old_password_outlives_the_new_one(people: People) -> None:
    account_id = await sign_up(people, "at-once@example.com")
    change = people.change_password(
        account_id, current=PASSWORD, new="something-else-here", session_token=None
    )
    begun = [sign_in(people, "at-once@example.com") for _ in range(6)]
    _, *found = await asyncio.gather(change, *begun, return_exceptions=True)
    for token in found:
        if isinstance(token, str):
            with pytest.raises(NotSignedIn):
                await people.account_of_session(token)
        else:
            assert isinstance(token, CredentialsWrong)
    assert await sign_in(people, "at-once@example.com", "something-else-here")


async def test_being_used_is_written_once_a_minute(people: People, clock: MovedClock) -> None:
    account_id = await sign_up(people, "seen@example.com")
    token = await sign_in(people, "seen@example.com")
    seen = "SELECT last_seen_at FROM sessions WHERE account_id = $1"
    began = await value(seen, account_id)
    clock.move(seconds=59)
    await people.account_of_session(token)
    assert await value(seen, account_id) == began
    clock.move(seconds=1)
    await people.account_of_session(token)
    assert await value(seen, account_id) == began + timedelta(seconds=60)


async def test_what_is_over_is_swept_away(people: People, clock: MovedClock) -> None:
    await sign_up(people, "swept@example.com")
    await sign_in(people, "swept@example.com")
    assert await sessions.sweep(clock() + timedelta(days=30), 1000) == 0
    assert await sessions.sweep(clock() + timedelta(days=31), 1000) >= 1
    assert await limits.sweep(clock(), 1000) == 0
    assert await limits.sweep(clock() + timedelta(days=2), 1000) >= 1


async def test_nothing_is_audited_outside_a_transaction(database: None, clock: MovedClock) -> None:
    with pytest.raises(NoTransaction):
        await record(actor="acc_x", action="test.done", subject="acc_x", now=clock())
    with pytest.raises(ValueError, match="undone"):
        await _audit_and_fail(clock)
    assert await value("SELECT count(*) FROM audit_log WHERE action = 'test.done'") == 0


async def _audit_and_fail(clock: MovedClock) -> None:
    async with transaction():
        await record(actor="acc_x", action="test.done", subject="acc_x", now=clock())
        raise ValueError("undone")
