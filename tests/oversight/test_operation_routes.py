"""Operations without an outcome over HTTP: listed, told in words, resolved by reading Stripe."""

from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar

from marketplace.composition import Composition
from payments.database import execute, rows, transaction
from payments.errors import OutcomeUnknown, StripeRejected
from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.operation_words import WORDS
from tests.api.harness import Browser
from tests.clocks import MovedClock


class WishDraft(Draft, frozen=True, kw_only=True):
    operation_id: OperationId
    wish: str


class Wishing:
    """A performer whose Stripe is a few lists: what it answers next, and what it can be found to hold."""

    draft_type = WishDraft

    def __init__(self) -> None:
        self.answers: list[Exception | str] = []
        self.holds: str | Exception | None = None
        self.sent: list[str] = []
        self.looked = 0
        self.ended: list[str] = []

    async def send(self, draft: WishDraft, key: IdempotencyKey) -> str:
        self.sent.append(key)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def find(self, draft: WishDraft) -> str | None:
        self.looked += 1
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds

    async def succeeded(self, operation: Any, draft: WishDraft, result: str) -> str:
        self.ended.append("succeeded")
        return result

    async def rejected(self, operation: Any, draft: WishDraft, rejection: StripeRejected) -> None:
        self.ended.append(rejection.code)


@pytest.fixture(scope="module")
def wishing(composition: Composition) -> Wishing:
    made = Wishing()
    composition.services.operations.register("make_wish", made)
    return made


@pytest.fixture(autouse=True)
async def _empty(app: Litestar, wishing: Wishing) -> None:
    await execute("DELETE FROM operations")
    await execute("TRUNCATE messages")
    wishing.__init__()  # type: ignore[misc]  # as on the first day


async def planned(composition: Composition, clock: MovedClock) -> OperationId:
    operation_id = OperationId(new_id("op"))
    async with transaction():
        await composition.services.operations.plan(
            kind="make_wish",
            subject="pay_1",
            order_id="ord_1",
            key=IdempotencyKey(f"wish:{operation_id}"),
            draft=WishDraft(operation_id=operation_id, wish="a pony"),
            operation_id=operation_id,
            now=clock(),
        )
    return operation_id


async def lost(composition: Composition, clock: MovedClock, wishing: Wishing) -> OperationId:
    """An operation that was sent, and whose answer got lost."""
    operation_id = await planned(composition, clock)
    wishing.answers = [OutcomeUnknown("timeout", request_id="req_1")]
    with pytest.raises(OutcomeUnknown):
        await composition.services.operations.carry_out(operation_id)
    clock.move(seconds=1)
    return operation_id


async def shown(admin: Browser, operation_id: str) -> dict[str, Any]:
    answer = await admin.get(f"/v1/admin/operations/{operation_id}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def resolve(admin: Browser, operation_id: str) -> tuple[int, Any]:
    answer = await admin.post(
        f"/v1/admin/operations/{operation_id}/resolution", {"reason": "The buyer is waiting"}
    )
    return answer.status_code, answer.json()


async def test_operations_are_found_by_state_kind_order_and_age(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    old = await lost(composition, clock, wishing)
    clock.move(hours=2)
    young = await planned(composition, clock)

    async def listed(**query: Any) -> set[str]:
        answer = await admin.get("/v1/admin/operations", **query)
        assert answer.status_code == 200, answer.text
        return {each["id"] for each in answer.json()["data"]}

    assert await listed() == {old, young}
    assert await listed(state="unknown") == {old}
    assert await listed(older_than_seconds=3600) == {old}
    assert await listed(kind="make_wish", order_id="ord_1", open=True) == {old, young}
    assert await listed(kind="create_refund") == set()
    assert await listed(open=False) == set()
    first = (await admin.get("/v1/admin/operations", limit=1)).json()
    assert (first["data"][0]["id"], first["has_more"]) == (young, True)
    assert await listed(starting_after=young) == {old}


@pytest.mark.parametrize(
    "query", [{"state": "lost"}, {"older_than_seconds": "-1"}, {"open": "maybe"}, {"x": "1"}]
)
async def test_a_malformed_filter_is_refused(admin: Browser, query: dict[str, str]) -> None:
    assert (await admin.get("/v1/admin/operations", **query)).status_code == 400


async def test_an_unknown_outcome_is_told_in_words(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    operation_id = await lost(composition, clock, wishing)
    told = await shown(admin, operation_id)
    operation = told["operation"]
    assert told["idempotency_key"] == f"wish:{operation_id}"
    assert told["parameters"]["wish"] == "a pony"
    assert (operation["asked_for"], operation["request_id"]) == ("make wish", "req_1")
    assert "The answer got lost" in operation["happened"]
    assert "timeout" in operation["happened"]
    assert "same key" in operation["next"]
    assert operation["sendable"] is True
    clock.move(hours=23)
    operation = (await shown(admin, operation_id))["operation"]
    assert operation["sendable"] is False
    assert "never sent again" in operation["next"]
    answer = await admin.get("/v1/admin/operations/op_nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "operation_not_found")


async def test_what_stripe_turns_out_to_have_done_is_adopted_and_nothing_is_sent(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    operation_id = await lost(composition, clock, wishing)
    wishing.holds = "obj_1"
    status, answer = await resolve(admin, operation_id)
    assert (status, answer["outcome"]) == (200, "succeeded")
    assert answer["operation"]["result_id"] == "obj_1"
    assert (len(wishing.sent), wishing.looked, wishing.ended) == (1, 1, ["succeeded"])
    asked, done = sorted(
        (await admin.get("/v1/admin/audit", subject=operation_id)).json()["data"],
        key=lambda entry: entry["action"] == "operation.succeeded",
    )
    assert (asked["action"], asked["reason"]) == (
        "operation.resolution_asked",
        "The buyer is waiting",
    )
    assert (asked["before"]["state"], asked["after"]) == ("unknown", None)
    assert (done["before"], done["after"]["state"]) == (asked["before"], "succeeded")
    status, problem = await resolve(admin, operation_id)
    assert (status, problem["code"], problem["state"]) == (409, "operation_concluded", "succeeded")


async def test_what_stripe_does_not_have_is_sent_again_under_the_same_key_while_it_may(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    operation_id = await lost(composition, clock, wishing)
    wishing.answers = ["obj_2"]
    status, answer = await resolve(admin, operation_id)
    assert (status, answer["outcome"]) == (200, "succeeded")
    assert wishing.sent == [f"wish:{operation_id}"] * 2


async def test_nothing_is_ever_sent_after_23_hours(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    operation_id = await lost(composition, clock, wishing)
    clock.move(hours=23)
    status, answer = await resolve(admin, operation_id)
    assert (status, answer["outcome"]) == (200, "no_effect")
    assert answer["operation"]["state"] == "rejected"
    assert "nothing had come of it" in answer["operation"]["happened"]
    assert (len(wishing.sent), wishing.ended) == (1, ["no_effect"])


async def test_a_definite_no_concludes_it(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    operation_id = await lost(composition, clock, wishing)
    wishing.answers = [StripeRejected("balance_insufficient")]
    status, answer = await resolve(admin, operation_id)
    assert (status, answer["outcome"]) == (200, "rejected")
    assert answer["operation"]["error_code"] == "balance_insufficient"


@pytest.mark.parametrize("holds", [OutcomeUnknown("timeout"), StripeRejected("no_permission")])
async def test_without_an_answer_it_stays_open(
    admin: Browser,
    composition: Composition,
    clock: MovedClock,
    wishing: Wishing,
    holds: Exception,
) -> None:
    operation_id = await lost(composition, clock, wishing)
    wishing.holds = holds
    status, answer = await resolve(admin, operation_id)
    assert (status, answer["outcome"], answer["operation"]["state"]) == (
        200,
        "still_open",
        "unknown",
    )
    assert answer["operation"]["due_at"] is not None
    assert wishing.ended == []


async def test_one_that_somebody_is_sending_is_left_to_them(
    admin: Browser, composition: Composition, clock: MovedClock
) -> None:
    operation_id = await planned(composition, clock)
    status, problem = await resolve(admin, operation_id)
    assert (status, problem["code"]) == (409, "operation_busy")


async def test_a_resolution_says_why(admin: Browser) -> None:
    path = "/v1/admin/operations/op_1/resolution"
    assert (await admin.post(path, {"reason": "   "})).json()["code"] == "reason_required"
    assert (await admin.post(path, {})).status_code == 400
    assert (await admin.post(path, {"reason": "x"})).json()["code"] == "operation_not_found"


async def test_admins_are_written_once_a_day_about_what_stays_open(
    admin: Browser, composition: Composition, clock: MovedClock, wishing: Wishing
) -> None:
    desk = composition.services.operation_desk
    operation_id = await lost(composition, clock, wishing)
    await desk.watch(clock(), 1)
    assert await rows("SELECT kind FROM messages") == []
    clock.move(minutes=61)
    for _ in range(2):
        await desk.watch(clock(), 1)
    (message,) = await rows("SELECT kind, subject_id FROM messages")
    assert tuple(message) == ("operations_stuck", operation_id)
    await desk.watch(clock() + timedelta(days=1), 1)
    assert len(await rows("SELECT kind FROM messages")) == 2


def test_every_kind_that_is_performed_has_words(composition: Composition) -> None:
    assert composition.services.operations.kinds - {"make_wish"} == set(WORDS)
