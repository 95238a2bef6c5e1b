"""Saved cards: one Customer for each buyer, Stripe's list taken in whole, nobody else's card."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from payments.card_absorption import absorb_cards
from payments.card_notices import CardNotices
from payments.cards import Cards
from payments.database import execute, rows, value
from payments.errors import (
    CardNotFound,
    CardSetupNotFound,
    NotSent,
    OutcomeUnknown,
    PaymentNotFound,
    StripeRejected,
)
from payments.ids import new_id
from payments.inbox import Notice
from tests.fake_cards import FakeCards
from tests.payments.conftest import Till, at_once

EMAIL = "ada@buyers.test"


class Wallet:
    """Cards over the fake, and one buyer."""

    def __init__(self, till: Till) -> None:
        self.till, self.clock = till, till.clock
        self.stripe = FakeCards(till.clock)
        self.cards = Cards(self.stripe, till.operations, till.clock)
        self.buyer_id = new_id("acc")

    async def customer(self) -> str:
        return await self.cards.customer_of(self.buyer_id, EMAIL, self.clock())

    async def attached(self, **changes: Any) -> str:
        """A card more at Stripe, and known; answers its id."""
        card = self.stripe.attach(await self.customer(), **changes)
        self.clock.move(seconds=1)
        await self.cards.refresh(self.buyer_id)
        listed = await self.cards.list(self.buyer_id)
        return next(one.id for one in listed if one.payment_method_id == card.payment_method_id)

    async def ids(self) -> list[str]:
        return [card.id for card in await self.cards.list(self.buyer_id)]

    async def default(self) -> str | None:
        chosen = [one.id for one in await self.cards.list(self.buyer_id) if one.is_default]
        assert len(chosen) <= 1
        return chosen[0] if chosen else None

    def asked(self, method: str) -> list[str]:
        return [one.key for one in self.stripe.asked if one.method == method]

    async def hear(self, type: str, object: dict[str, Any], account: str | None = None) -> None:
        """Stripe's event is worked on."""
        notice = Notice(
            event_id=new_id("evt"),
            account=account,
            door="platform",
            type=type,
            object_id=object["id"],
            livemode=False,
            payload=msgspec.json.encode({"data": {"object": object}}).decode(),
            attempts=1,
            received_at=self.clock(),
        )
        notices = CardNotices(self.cards)
        handler = {
            "setup_intent": notices.take_setups,
            "payment_method": notices.take_cards,
            "customer": notices.take_customers,
        }[type.split(".")[0]]
        await handler([notice])


@pytest_asyncio.fixture(loop_scope="session")
async def wallet(till: Till) -> Wallet:
    return Wallet(till)


class TestCustomers:
    async def test_a_buyer_has_one_customer_however_often_they_click(self, wallet: Wallet) -> None:
        customers = await at_once(*[wallet.customer() for _ in range(20)])
        assert len(set(customers)) == 1
        assert wallet.asked("create_customer") == [f"buyer:{wallet.buyer_id}:customer"]

    async def test_a_lost_answer_makes_no_second_customer(self, wallet: Wallet) -> None:
        wallet.stripe.lose_answer_after()
        with pytest.raises(OutcomeUnknown):
            await wallet.customer()
        # A new address meanwhile: what was asked for is asked for unchanged.
        made = await wallet.cards.customer_of(
            wallet.buyer_id, "new@buyers.test", wallet.clock.move(seconds=5)
        )
        assert made == await wallet.customer()
        assert len(set(wallet.asked("create_customer"))) == 1

    async def test_where_the_key_is_of_no_use_the_customer_is_read_back(
        self, wallet: Wallet
    ) -> None:
        wallet.stripe.store_500(executed=True)
        with pytest.raises(OutcomeUnknown):
            await wallet.customer()
        await wallet.till.operations.resume_due(wallet.clock.move(minutes=2), 50)
        assert await wallet.customer()
        assert len(set(wallet.asked("create_customer"))) == 1

    async def test_after_a_definite_no_the_next_one_has_a_new_key(self, wallet: Wallet) -> None:
        wallet.stripe.store_500(executed=False)
        with pytest.raises(OutcomeUnknown):
            await wallet.customer()
        await wallet.till.operations.resume_due(wallet.clock.move(minutes=2), 50)
        assert await wallet.customer()
        assert wallet.asked("create_customer")[-1] == f"buyer:{wallet.buyer_id}:customer:2"

    async def test_a_customer_deleted_at_stripe_is_made_anew(self, wallet: Wallet) -> None:
        first = await wallet.customer()
        await wallet.attached()
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        await wallet.hear("customer.deleted", {"id": first})
        assert await wallet.customer() == first, "an event alone proves nothing"
        wallet.stripe.delete_customer(first)
        await wallet.hear("customer.deleted", {"id": first})
        assert await wallet.ids() == []
        assert await wallet.customer() != first
        again = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        assert again.setup_id != setup.setup_id

    async def test_a_customer_whose_deletion_nobody_told_us(self, wallet: Wallet) -> None:
        first = await wallet.customer()
        wallet.stripe.delete_customer(first)
        await wallet.cards.refresh(wallet.buyer_id)
        assert await wallet.customer() != first


class TestSetups:
    async def test_a_card_is_saved_without_a_payment(self, wallet: Wallet) -> None:
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        assert setup.client_secret.startswith(setup.stripe_setup_id)
        assert setup.client_secret not in repr(setup)
        wallet.stripe.save(setup.setup_id)
        seen = await wallet.cards.refresh_setup(wallet.buyer_id, setup.setup_id)
        assert (seen.record.status, seen.reason) == ("succeeded", None)
        [card] = await wallet.cards.list(wallet.buyer_id)
        assert (card.brand, card.last4, card.is_default) == ("visa", "4242", True)

    async def test_an_interrupted_setup_is_resumed(self, wallet: Wallet) -> None:
        begun = [
            await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock()) for _ in range(2)
        ]
        assert begun[0] == begun[1]
        assert len(wallet.asked("create_setup")) == 1

    async def test_many_tabs_share_one_setup(self, wallet: Wallet) -> None:
        begun = await at_once(
            *[wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock()) for _ in range(10)]
        )
        assert {one.setup_id for one in begun} == {begun[0].setup_id}
        assert len(wallet.asked("create_setup")) == 1

    @pytest.mark.parametrize("over", ["succeeded", "canceled"])
    async def test_after_one_that_is_over_the_next_is_new(self, wallet: Wallet, over: str) -> None:
        first = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        if over == "succeeded":
            wallet.stripe.save(first.setup_id)
        else:
            wallet.stripe.cancel_setup(first.setup_id)
        second = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        assert second.setup_id != first.setup_id
        record = await wallet.cards.setup(wallet.buyer_id, first.setup_id)
        assert record.status == over

    async def test_a_bank_that_does_not_want_it_is_heard(self, wallet: Wallet) -> None:
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        wallet.stripe.save(setup.setup_id, "pm_card_chargeDeclined")
        seen = await wallet.cards.refresh_setup(wallet.buyer_id, setup.setup_id)
        assert (seen.record.status, seen.reason) == ("requires_payment_method", "card_declined")

    async def test_stripes_no_to_a_setup(self, wallet: Wallet) -> None:
        wallet.stripe.delete_customer(await wallet.customer())
        with pytest.raises(StripeRejected):
            await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        await wallet.cards.refresh(wallet.buyer_id)
        assert await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())

    async def test_a_lost_answer_makes_no_second_setup(self, wallet: Wallet) -> None:
        await wallet.customer()
        wallet.stripe.lose_answer_after()
        with pytest.raises(OutcomeUnknown):
            await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        assert await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        assert len(set(wallet.asked("create_setup"))) == 1

    async def test_another_buyers_setup_does_not_exist(self, wallet: Wallet) -> None:
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        for asking in (wallet.cards.setup, wallet.cards.refresh_setup):
            with pytest.raises(CardSetupNotFound):
                await asking(new_id("acc"), setup.setup_id)

    async def test_the_webhook_saves_the_card_too(self, wallet: Wallet) -> None:
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        wallet.stripe.save(setup.setup_id)
        told = {"id": setup.stripe_setup_id, "metadata": {"setup_id": setup.setup_id}}
        await wallet.hear("setup_intent.succeeded", told, account="acct_seller")
        assert await wallet.ids() == [], "a connected account's"
        await wallet.hear("setup_intent.succeeded", told | {"metadata": {}})
        assert await wallet.ids() == [], "another program's"
        await wallet.hear("setup_intent.succeeded", told)
        assert len(await wallet.ids()) == 1
        with pytest.raises(PaymentNotFound):
            await wallet.hear(
                "setup_intent.created", {"id": "seti_x", "metadata": {"setup_id": "cst_x"}}
            )

    async def test_a_setup_nobody_told_us_the_end_of_is_found_by_the_sweep(
        self, wallet: Wallet
    ) -> None:
        await execute("UPDATE buyer_customers SET refresh_at = NULL")
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        wallet.stripe.save(setup.setup_id)
        assert await wallet.cards.refresh_due(wallet.clock(), 10) == 0
        assert await wallet.cards.refresh_due(wallet.clock.move(minutes=16), 10) == 1
        assert len(await wallet.ids()) == 1
        assert await wallet.cards.refresh_due(wallet.clock.move(hours=1), 10) == 0

    async def test_no_secret_is_kept(self, wallet: Wallet) -> None:
        setup = await wallet.cards.begin_setup(wallet.buyer_id, EMAIL, wallet.clock())
        secret = setup.client_secret
        for table in ("card_setups", "operations", "buyer_customers"):
            found = await rows(f"SELECT t::text FROM {table} t WHERE t::text LIKE '%_secret_%'")
            assert not [one for one in found if secret in one[0]]


class TestList:
    async def test_the_newest_is_first_and_the_first_one_is_the_default(
        self, wallet: Wallet
    ) -> None:
        first, second = await wallet.attached(), await wallet.attached()
        assert await wallet.ids() == [second, first]
        assert await wallet.default() == first

    async def test_many_at_once_keep_stripes_order(self, wallet: Wallet) -> None:
        made = [wallet.stripe.attach(await wallet.customer()) for _ in range(5)]
        await wallet.cards.refresh(wallet.buyer_id)
        listed = await wallet.cards.list(wallet.buyer_id)
        assert [one.payment_method_id for one in listed] == [
            one.payment_method_id for one in reversed(made)
        ]

    async def test_another_one_can_be_the_default(self, wallet: Wallet) -> None:
        first, second = await wallet.attached(), await wallet.attached()
        chosen = await wallet.cards.make_default(wallet.buyer_id, second, wallet.clock())
        assert chosen.is_default
        assert await wallet.default() == second
        await wallet.cards.remove(wallet.buyer_id, second, wallet.clock())
        assert await wallet.default() == first, "there is always one to be offered first"

    async def test_a_number_that_is_saved_again_is_one_card(self, wallet: Wallet) -> None:
        """Renewed, given again by another page, kept by a payment: people have one such card."""
        old, other = await wallet.attached(fingerprint="fp_one"), await wallet.attached()
        new = await wallet.attached(fingerprint="fp_one", expiry_year=2039)
        assert await wallet.ids() == [new, other]
        assert await wallet.default() == new, "the older one was the default"
        await wallet.cards.let_go(wallet.buyer_id, new, wallet.clock())
        assert await wallet.ids() == [other, old]
        await wallet.attached(fingerprint="fp_one")
        wallet.stripe.lose_answer_after()
        with pytest.raises(OutcomeUnknown):
            await wallet.cards.remove(wallet.buyer_id, old, wallet.clock())
        wallet.clock.move(seconds=60)
        await wallet.till.sweep()
        left = await wallet.stripe.cards_of(await wallet.customer())
        assert await wallet.ids() == [other]
        assert len(left) == 1, "both are gone at Stripe too"

    async def test_another_buyers_card_does_not_exist(self, wallet: Wallet) -> None:
        card_id, other = await wallet.attached(), new_id("acc")
        for asking in (
            wallet.cards.require(other, card_id),
            wallet.cards.remove(other, card_id, wallet.clock()),
            wallet.cards.make_default(other, card_id, wallet.clock()),
        ):
            with pytest.raises(CardNotFound):
                await asking
        assert await wallet.cards.list(other) == []
        assert await wallet.ids() == [card_id]

    async def test_an_expired_card_is_said_to_be(self, wallet: Wallet) -> None:
        card = await wallet.cards.require(wallet.buyer_id, await wallet.attached(expiry_year=2027))
        assert not card.expired(datetime(2027, 2, 28, 23, 59, tzinfo=UTC))
        assert card.expired(datetime(2027, 3, 1, tzinfo=UTC))

    async def test_what_changed_at_stripe_changes_here(self, wallet: Wallet) -> None:
        """A bank issued a new card under the same PaymentMethod."""
        card_id = await wallet.attached()
        kept = wallet.stripe._cards[await wallet.customer()]
        kept[0] = msgspec.structs.replace(kept[0], last4="0005", expiry_year=2040)
        told = {"id": kept[0].payment_method_id, "customer": await wallet.customer()}
        await wallet.hear("payment_method.automatically_updated", told)
        card = await wallet.cards.require(wallet.buyer_id, card_id)
        assert (card.last4, card.expiry_year) == ("0005", 2040)


class TestRemoving:
    async def test_a_card_is_removed_at_stripe_too(self, wallet: Wallet) -> None:
        card_id = await wallet.attached()
        await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock())
        assert await wallet.ids() == []
        assert await wallet.stripe.cards_of(await wallet.customer()) == []
        with pytest.raises(CardNotFound):
            await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock())

    async def test_two_clicks_are_one_removal(self, wallet: Wallet) -> None:
        card_id = await wallet.attached()
        removing = [wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock()) for _ in range(5)]
        answers = await at_once(*removing)
        assert all(one is None or isinstance(one, CardNotFound) for one in answers), answers
        assert wallet.asked("detach_card") == [f"card:{card_id}:detach:1"]

    async def test_a_card_that_was_removed_in_the_dashboard_is_gone_here_too(
        self, wallet: Wallet
    ) -> None:
        first, second = await wallet.attached(), await wallet.attached()
        gone = await wallet.cards.require(wallet.buyer_id, first)
        wallet.stripe.forget(gone.payment_method_id)
        await wallet.hear("payment_method.detached", {"id": gone.payment_method_id})
        assert await wallet.ids() == [second]
        assert await wallet.default() == second

    async def test_removing_what_stripe_no_longer_has(self, wallet: Wallet) -> None:
        card_id = await wallet.attached()
        gone = await wallet.cards.require(wallet.buyer_id, card_id)
        wallet.stripe.forget(gone.payment_method_id)
        await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock.move(seconds=1))
        assert await wallet.ids() == []

    async def test_a_lost_answer_leaves_the_card_until_it_is_known(self, wallet: Wallet) -> None:
        card_id = await wallet.attached()
        wallet.stripe.store_500(executed=True)
        with pytest.raises(OutcomeUnknown):
            await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock())
        assert await wallet.ids() == [card_id]
        await wallet.till.operations.resume_due(wallet.clock.move(minutes=2), 50)
        assert await wallet.ids() == []

    async def test_stripe_is_busy(self, wallet: Wallet) -> None:
        card_id = await wallet.attached()
        wallet.stripe.be_busy()
        with pytest.raises(NotSent):
            await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock())
        await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock.move(seconds=5))
        assert await wallet.ids() == []


class TestOlderLists:
    """Lists that were read before something changed, and taken in after."""

    async def test_a_card_saved_meanwhile_is_not_lost(self, wallet: Wallet) -> None:
        asked_at = wallet.clock()
        await wallet.attached()

        await absorb_cards(wallet.buyer_id, [], asked_at, wallet.clock.move(seconds=1))
        assert len(await wallet.ids()) == 1

    async def test_a_card_removed_meanwhile_is_not_back(self, wallet: Wallet) -> None:

        card_id = await wallet.attached()
        asked_at = wallet.clock.move(seconds=1)
        old = await wallet.stripe.cards_of(await wallet.customer())
        await wallet.cards.remove(wallet.buyer_id, card_id, wallet.clock.move(seconds=1))
        await absorb_cards(wallet.buyer_id, old, asked_at, wallet.clock.move(seconds=1))
        assert await wallet.ids() == []
        newer = wallet.clock.move(seconds=1)
        await absorb_cards(wallet.buyer_id, old, newer, wallet.clock.move(seconds=1))
        assert await wallet.ids() == [card_id], "Stripe shows it now: it is there"


class TestSweep:
    async def test_a_payment_that_saved_its_card_has_the_list_read(
        self, wallet: Wallet, order_id: str
    ) -> None:
        await execute("UPDATE buyer_customers SET refresh_at = NULL")
        customer_id = await wallet.customer()
        await wallet.till.paid(order_id, customer_id=customer_id, save_card=True)
        wallet.stripe.attach(customer_id)
        assert await wallet.cards.refresh_due(wallet.clock(), 10) == 1
        assert len(await wallet.ids()) == 1

    async def test_one_buyer_at_a_bad_moment_does_not_stop_the_others(self, till: Till) -> None:
        await execute("UPDATE buyer_customers SET refresh_at = NULL")
        wallet = Wallet(till)
        good, bad = new_id("acc"), new_id("acc")
        for buyer_id in (bad, good):
            await wallet.cards.customer_of(buyer_id, EMAIL, wallet.clock())
        lost = await value("SELECT customer_id FROM buyer_customers WHERE buyer_id = $1", bad)
        known = await value("SELECT customer_id FROM buyer_customers WHERE buyer_id = $1", good)
        del wallet.stripe._cards[lost]  # a list that cannot be read, of a Customer that is there
        wallet.stripe.attach(known)
        await execute(
            "UPDATE buyer_customers SET refresh_at = $2 WHERE buyer_id = ANY($1)",
            [good, bad],
            wallet.clock(),
        )
        assert await wallet.cards.refresh_due(wallet.clock(), 10) == 2
        assert len(await wallet.cards.list(good)) == 1
        assert await wallet.cards.refresh_due(wallet.clock.move(minutes=6), 10) == 1, "the bad one"
