"""Replays of fee rules on past orders over HTTP, for admins. The worker does them."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.fee_replays import (
    FeeReplayAnswer,
    FeeReplayFigures,
    FeeReplayList,
    NewFeeReplay,
)
from marketplace.fees.replay_sums import By
from marketplace.paging import PageRequest
from marketplace.services import Services

_REPLAYS = "/v1/admin/fee-schedules/replays"
_REPLAY = f"{_REPLAYS}/{{replay_id:str}}"


@get(_REPLAYS, **admin("fees:read"), summary="Replays")
async def list_fee_replays(
    services: NamedDependency[Services], page: NamedDependency[PageRequest]
) -> FeeReplayList:
    """Every replay, the newest first."""
    found = await services.fee_replays.list(page)
    return FeeReplayList(
        data=[FeeReplayAnswer.of(replay) for replay in found.data], has_more=found.has_more
    )


@post(_REPLAYS, **admin("admin:write"), status_code=202, summary="Replay rules on past orders")
async def ask_for_fee_replay(
    data: JSONBody[NewFeeReplay],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeReplayAnswer:
    """A draft's or a version's, as they are now, on orders that were paid. Nothing is changed by it."""
    replay = await services.fee_replays.ask(data.told(), principal.account_id, services.clock())
    return FeeReplayAnswer.of(replay)


@get(_REPLAY, **admin("fees:read"), summary="How far a replay is")
async def read_fee_replay(
    replay_id: FromPath[str], services: NamedDependency[Services]
) -> FeeReplayAnswer:
    """Its progress, in orders."""
    return FeeReplayAnswer.of(await services.fee_replays.find(replay_id))


@get(f"{_REPLAY}/figures", **admin("fees:read"), summary="What a replay found")
async def list_fee_replay_figures(
    replay_id: FromPath[str],
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    by: FromQuery[By] = "total",
) -> FeeReplayFigures:
    """The difference per seller, category, month (`period`), rule, or in all; per currency."""
    return FeeReplayFigures.of(await services.fee_replays.figures(replay_id, by, page))


@post(f"{_REPLAY}/cancellation", **admin("admin:write"), status_code=200, summary="Stop a replay")
async def cancel_fee_replay(
    replay_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeReplayAnswer:
    """What it found so far is not kept."""
    replay = await services.fee_replays.cancel(replay_id, principal.account_id, services.clock())
    return FeeReplayAnswer.of(replay)


ROUTES: list[HTTPRouteHandler] = [
    list_fee_replays,
    ask_for_fee_replay,
    read_fee_replay,
    list_fee_replay_figures,
    cancel_fee_replay,
]
