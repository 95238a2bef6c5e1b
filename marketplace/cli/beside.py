"""What `marketplace run` brought along, told to the commands that are called beside it.

`run` writes it down for as long as it lives: a file of its data's folder, which only its owner may read and
on which it keeps a lock. A file without the lock was left behind by a run that was killed, and is ignored.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from marketplace import settings
from marketplace.cli.outcomes import configured_by
from marketplace.settings import Settings, SettingsRefused

_NAME: Final = "run.json"


@contextlib.contextmanager
def told(folder: Path, given: Mapping[str, str], complete: Mapping[str, str]) -> Iterator[None]:
    """Tell what is in `complete` and was not `given`, as long as the block lasts."""
    brought = {name: value for name, value in complete.items() if given.get(name) != value}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    path.unlink(missing_ok=True)  # a reader of the one before keeps reading that
    with open(path, "w", encoding="utf-8", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(brought, file)
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def configured_beside_run(require: Collection[str]) -> Settings:
    """The settings; where the environment names no database, those of a run on the same data.

    Ends the command with every problem told when neither is there.
    """
    env = settings.read()
    try:
        folder = Settings.from_environment(env, require=settings.NOTHING).data_directory
    except SettingsRefused:
        return configured_by(env, require)
    brought = _brought(folder)
    # Where one of them is given, the command is about something else than that run.
    if brought and not brought.keys() & env.keys():
        click.echo(f"(beside the marketplace that runs on {folder})", err=True)
        env = {**env, **brought}
    return configured_by(env, require)


def _brought(folder: Path) -> dict[str, str]:
    try:
        with (folder / _NAME).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found: dict[str, str] = json.load(file)
                return found
    except (OSError, ValueError):
        pass
    return {}


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
