"""What payments may rely on from whoever keeps its buyers' cards."""

import pytest

from payments.card_gateway import (
    CardSnapshot,
    CustomerDraft,
    CustomerSnapshot,
    DetachDraft,
    SetupDraft,
    SetupSnapshot,
)
from payments.errors import OutcomeUnknown, StripeRejected
from payments.ids import new_id
from tests.contracts.test_payment_gateway import key, opened, operation
from tests.contracts.worlds import World


def customer_draft() -> CustomerDraft:
    return CustomerDraft(
        operation_id=operation(), buyer_id=new_id("acc"), email=f"{new_id('b')}@buyers.test"
    )


async def customer(world: World) -> CustomerSnapshot:
    return await world.cards.create_customer(customer_draft(), key())


def setup_draft(customer_id: str) -> SetupDraft:
    return SetupDraft(
        operation_id=operation(),
        setup_id=new_id("cst"),
        buyer_id=new_id("acc"),
        customer_id=customer_id,
    )


async def begun(world: World, customer_id: str) -> SetupSnapshot:
    return await world.cards.create_setup(setup_draft(customer_id), key())


async def saved(world: World, customer_id: str, card: str = "pm_card_visa") -> CardSnapshot:
    await world.save(await begun(world, customer_id), card)
    return (await world.cards.cards_of(customer_id))[0]


def detach_draft(customer_id: str, card: CardSnapshot) -> DetachDraft:
    return DetachDraft(
        operation_id=operation(),
        card_id=new_id("crd"),
        buyer_id=new_id("acc"),
        customer_id=customer_id,
        payment_method_id=card.payment_method_id,
    )


class TestCustomers:
    async def test_the_same_key_is_the_same_customer(self, world: World) -> None:
        draft, same_key = customer_draft(), key()
        made = [await world.cards.create_customer(draft, same_key) for _ in range(2)]
        assert made[0].id == made[1].id
        assert not made[0].deleted
        assert await world.cards.cards_of(made[0].id) == []

    async def test_one_whose_answer_got_lost_is_found(self, world: World) -> None:
        draft = customer_draft()
        assert await world.cards.find_customer(draft) is None
        await world.fail_cards("lost_after")
        with pytest.raises(OutcomeUnknown):
            await world.cards.create_customer(draft, key())
        found = await world.cards.find_customer(draft)
        assert found is not None
        assert await world.cards.find_customer(customer_draft()) is None

    async def test_one_that_was_deleted_says_so_and_keeps_no_cards(self, world: World) -> None:
        made = await customer(world)
        await saved(world, made.id)
        await world.delete_customer(made.id)
        assert (await world.cards.retrieve_customer(made.id)).deleted
        with pytest.raises(StripeRejected) as refused:
            await world.cards.cards_of(made.id)
        assert refused.value.code == "resource_missing"


class TestSetups:
    async def test_it_waits_for_a_card_and_hides_its_secret(self, world: World) -> None:
        made = await customer(world)
        draft = setup_draft(made.id)
        setup = await world.cards.create_setup(draft, key())
        assert (setup.status, setup.setup_id, setup.customer_id) == (
            "requires_payment_method",
            draft.setup_id,
            made.id,
        )
        assert setup.client_secret.startswith(f"{setup.id}_secret_")
        assert setup.client_secret not in repr(setup)

    async def test_the_card_is_kept(self, world: World) -> None:
        made = await customer(world)
        setup = await begun(world, made.id)
        await world.save(setup)
        after = await world.cards.retrieve_setup(setup.id)
        assert (after.status, after.decline) == ("succeeded", None)
        [card] = await world.cards.cards_of(made.id)
        assert (card.brand, card.last4) == ("visa", "4242")
        assert card.fingerprint
        assert card.expiry_month in range(1, 13)
        assert card.expiry_year is not None
        assert card.expiry_year > 2026

    async def test_the_newest_card_is_first(self, world: World) -> None:
        made = await customer(world)
        first, second = await saved(world, made.id), await saved(world, made.id)
        listed = [one.payment_method_id for one in await world.cards.cards_of(made.id)]
        assert listed == [second.payment_method_id, first.payment_method_id]

    async def test_a_bank_that_does_not_want_it(self, world: World) -> None:
        made = await customer(world)
        setup = await begun(world, made.id)
        await world.save(setup, "pm_card_visa_chargeDeclined")
        after = await world.cards.retrieve_setup(setup.id)
        assert after.status == "requires_payment_method"
        assert after.decline is not None
        assert (after.decline.code, after.decline.decline_code) == (
            "card_declined",
            "generic_decline",
        )
        assert await world.cards.cards_of(made.id) == []

    async def test_one_whose_answer_got_lost_is_found(self, world: World) -> None:
        draft = setup_draft((await customer(world)).id)
        assert await world.cards.find_setup(draft) is None
        await world.fail_cards("lost_after")
        with pytest.raises(OutcomeUnknown):
            await world.cards.create_setup(draft, key())
        found = await world.cards.find_setup(draft)
        assert found is not None
        assert found.setup_id == draft.setup_id

    async def test_a_customer_nobody_knows_is_a_definite_no(self, world: World) -> None:
        with pytest.raises(StripeRejected) as refused:
            await begun(world, "cus_of_nobody")
        assert refused.value.code == "resource_missing"


class TestDetaching:
    async def test_the_card_is_gone(self, world: World) -> None:
        made = await customer(world)
        first, second = await saved(world, made.id), await saved(world, made.id)
        gone = await world.cards.detach_card(detach_draft(made.id, first), key())
        assert gone.payment_method_id == first.payment_method_id
        left = await world.cards.cards_of(made.id)
        assert [one.payment_method_id for one in left] == [second.payment_method_id]

    async def test_what_is_not_kept_cannot_be_detached(self, world: World) -> None:
        made = await customer(world)
        card = await saved(world, made.id)
        await world.cards.detach_card(detach_draft(made.id, card), key())
        with pytest.raises(StripeRejected):
            await world.cards.detach_card(detach_draft(made.id, card), key())


async def test_a_payment_can_keep_its_card(world: World) -> None:
    made = await customer(world)
    intent = await opened(world, customer_id=made.id, save_card=True)
    assert (intent.customer_id, intent.saves_card) == (made.id, True)
    plain = await opened(world, customer_id=made.id)
    assert (plain.customer_id, plain.saves_card) == (made.id, False)
