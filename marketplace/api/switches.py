"""Kill switches over HTTP, for admins."""

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.switches import SwitchAnswer, SwitchExpiry, SwitchList, SwitchOff
from marketplace.oversight import switches
from marketplace.paging import PageRequest
from marketplace.services import Services

_Reason = Annotated[str, QueryParameter(min_length=1, max_length=500, description="Why.")]


@get("/v1/admin/switches", **admin("admin:read"), summary="What is switched off")
async def list_switches(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    off: FromQuery[bool | None] = None,
) -> SwitchList:
    """Every switch there was, the newest first; `off=true` are those that stop something now."""
    now = services.clock()
    return SwitchList.of(await switches.switches(page, now, off=off), now)


@post("/v1/admin/switches", **admin("admin:write"), summary="Switch an operation off")
async def switch_off(
    data: JSONBody[SwitchOff],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SwitchAnswer:
    """From this moment on it is refused, with your reason. Money that is on its way is not stopped."""
    now = services.clock()
    switch = await switches.switch_off(data.told(), actor=principal.account_id, now=now)
    return SwitchAnswer.of(switch, now)


@patch(
    "/v1/admin/switches/{switch_id:str}",
    **admin("admin:write"),
    summary="Change until when an operation is off",
)
async def change_switch(
    switch_id: FromPath[str],
    data: JSONBody[SwitchExpiry],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SwitchAnswer:
    """Longer or shorter, and off all the while. People are still shown why it was switched off."""
    now = services.clock()
    switch = await switches.change_expiry(
        switch_id, data.expires_at, actor=principal.account_id, reason=data.reason, now=now
    )
    return SwitchAnswer.of(switch, now)


@delete(
    "/v1/admin/switches/{switch_id:str}",
    **admin("admin:write"),
    status_code=200,
    summary="Switch an operation on again",
)
async def switch_on(
    switch_id: FromPath[str],
    reason: _Reason,
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SwitchAnswer:
    """It works again at once; that it was off stays on record."""
    now = services.clock()
    switch = await switches.switch_on(switch_id, actor=principal.account_id, reason=reason, now=now)
    return SwitchAnswer.of(switch, now)


ROUTES: list[HTTPRouteHandler] = [list_switches, switch_off, change_switch, switch_on]
