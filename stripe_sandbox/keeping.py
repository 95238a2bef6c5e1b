"""The sandbox's memory on disk, so that a demonstration survives a restart.

Only with `state_file`: what is known is written shortly after it changed and when the sandbox
stops, in one piece (a temporary file, then renamed). Switches, records of requests and records of
deliveries are not kept; events that had not been delivered are delivered after the restart.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from .config import SandboxConfig
from .idempotency import Kept, Slot
from .sandbox import Sandbox
from .world import API_VERSION, Stored

SAVE_EVERY_SECONDS = 2.0
UNDELIVERED = ("queued", "retrying", "delayed", "held")


class KeptObject(msgspec.Struct):
    account: str | None
    body: dict[str, Any]


class KeptKey(msgspec.Struct):
    slot: Slot
    kept: Kept


class State(msgspec.Struct):
    """Everything that is written."""

    api_version: str
    clock_offset_seconds: int
    objects: list[KeptObject]
    keys: list[KeptKey]
    undelivered: list[str]


class UnreadableState(Exception):
    """The state file is damaged or another version's."""


def open_sandbox(config: SandboxConfig) -> Sandbox:
    """A sandbox that knows what its state file says, if it has one."""
    sandbox = Sandbox(config)
    if config.state_file is not None:
        restore(sandbox, config.state_file)
    return sandbox


def save(sandbox: Sandbox, path: Path) -> None:
    """Write what the sandbox knows, readable by its owner only."""
    temporary = path.with_name(f"{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(temporary, "wb", opener=_private) as file:
        file.write(msgspec.json.encode(_state_of(sandbox)))
    temporary.replace(path)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _state_of(sandbox: Sandbox) -> State:
    world = sandbox.world
    waiting = [d.event.event_id for d in sandbox.deliveries.records if d.state in UNDELIVERED]
    return State(
        api_version=API_VERSION,
        clock_offset_seconds=world.clock_offset_seconds,
        objects=[KeptObject(s.account, _written(s.body)) for s in world.stored()],
        keys=[KeptKey(slot, kept) for slot, kept in sandbox.keys.kept.items()],
        undelivered=list(dict.fromkeys(waiting)),
    )


def restore(sandbox: Sandbox, path: Path) -> bool:
    """Know again what was written; False when there is no file.

    Raises UnreadableState, saying what to do about it.
    """
    if not path.exists():
        return False
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
    except msgspec.DecodeError as error:
        raise UnreadableState(f"{path} cannot be read; remove it to begin anew") from error
    if state.api_version != API_VERSION:
        raise UnreadableState(f"{path} is of API {state.api_version}; remove it to begin anew")
    sandbox.world.restore(
        [Stored(_read(kept.body), kept.account) for kept in state.objects],
        state.clock_offset_seconds,
    )
    sandbox.keys.kept = {each.slot: each.kept for each in state.keys}
    for event_id in state.undelivered:
        sandbox.deliveries.send_again(sandbox.world.emission(event_id), copies=1)
    return True


async def keep_saving(sandbox: Sandbox, path: Path) -> None:
    """Save shortly after every change, until cancelled."""
    saved = sandbox.changes
    while True:
        await asyncio.sleep(SAVE_EVERY_SECONDS)
        if sandbox.changes != saved:
            saved = sandbox.changes
            save(sandbox, path)


# JSON knows no tuples, and what is compared with tuples must not come back as a list


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return {"$tuple": [_written(each) for each in value]}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$tuple"}:
            return tuple(_read(each) for each in value["$tuple"])
        return {name: _read(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_read(each) for each in value]
    return value
