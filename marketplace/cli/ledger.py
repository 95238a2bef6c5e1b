"""The command about the books' chains: `verify`."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from marketplace import settings
from marketplace.cli.beside import configured_beside_run
from marketplace.cli.outcomes import FAILED, Ended, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
    from payments.chain_verification import Anchor, Finding

_BOOKS: Final = ("postings", "audit_log")
SHOWN: Final = 20
"""How many findings of a book are told; the first is the one that counts."""
_EVERY_SECONDS: Final = 1.0

_WORDS: Final = {
    "altered": "was altered after it was sealed",
    "removed": "was removed",
    "link_removed": "follows an empty place: a link before it was removed",
    "slipped_in": "was inserted past the program",
    "backdated": "claims a moment long before it was written",
    "anchor_differs": "the chain is not the one whose head was kept",
}


class _AnchorType(click.ParamType):  # type: ignore[type-arg]  # not at run time
    name = "BOOK:POSITION:HASH"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> "tuple[str, Anchor]":
        from payments.chain_verification import Anchor

        book, _, rest = value.partition(":")
        position, _, digest = rest.partition(":")
        try:
            anchor = Anchor(position=int(position), hash=bytes.fromhex(digest))
        except ValueError:
            self.fail(f"{value!r} is not book:position:hash", param, ctx)
        if book not in _BOOKS or anchor.position < 0 or len(anchor.hash) != 32:
            self.fail(f"{value!r} is no head of {' or '.join(_BOOKS)}", param, ctx)
        return book, anchor


@click.command()
@click.option("--book", "chosen", type=click.Choice(_BOOKS), help="Only this one.")
@click.option(
    "--anchor",
    "anchors",
    type=_AnchorType(),
    multiple=True,
    help="A head that was kept elsewhere (the log and the API tell it): the chain must hold it.",
)
def verify(chosen: str | None, anchors: "Sequence[tuple[str, Anchor]]") -> None:
    """Compare every row of the ledger and of the audit log with its seal.

    Changes nothing. Ends with 0 when no sealed row was altered, removed or slipped in; else names
    the first ones.
    """
    given = configured_beside_run(settings.DATABASE)
    require_migrated(given)
    books = _BOOKS if chosen is None else (chosen,)
    with database_outcomes(given.database_shown()):
        wrong = asyncio.run(_verify(given, books, anchors))
    if wrong:
        raise Ended(
            FAILED,
            "what was sealed is not what is there.",
            "docs/operating.md says how to find out what it was before.",
        )


async def _verify(
    given: Settings, books: Sequence[str], anchors: "Sequence[tuple[str, Anchor]]"
) -> bool:
    from payments.database import engine

    await engine().start(given.database_url, pool_size=1)
    try:
        results = [
            await _verify_book(book, [anchor for name, anchor in anchors if name == book])
            for book in books
        ]
        return any(results)
    finally:
        await engine().stop()


async def _verify_book(name: str, anchors: "Sequence[Anchor]") -> bool:
    """Tells what is wrong with a book; answers whether anything is."""
    from marketplace.books.chains import BOOKS
    from payments.chain_verification import verify as findings_of

    progress = _Progress(name)
    found = await _first(findings_of(BOOKS[name], anchors=anchors, progress=progress), SHOWN + 1)
    for finding in islice(found, SHOWN):
        click.echo(f"{name}: {_told(finding)}")
    if len(found) > SHOWN:
        click.echo(f"{name}: and more.")
    click.echo(f"{name}: {progress.summary()}, {'NOT intact' if found else 'intact'}.")
    return bool(found)


async def _first(findings: "AsyncIterator[Finding]", limit: int) -> "list[Finding]":
    found = []
    async for finding in findings:
        found.append(finding)
        if len(found) == limit:
            break
    return found


def _told(finding: "Finding") -> str:
    where = "" if finding.position is None else f" (place {finding.position})"
    return f"{finding.row_id or 'anchor'}{where} {_WORDS[finding.fault]}"


class _Progress:
    """Says once a second how far it is, on the error stream."""

    def __init__(self, book: str) -> None:
        self._book, self._began = book, time.monotonic()
        self._told = self._began
        self._done = 0

    def __call__(self, done: int, of: int) -> None:
        self._done = done
        now = time.monotonic()
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            click.echo(f"{self._book}: {done:,} of {of:,}, {self._rate():,} a second", err=True)

    def _rate(self) -> int:
        return round(self._done / max(time.monotonic() - self._began, 0.001))

    def summary(self) -> str:
        return f"{self._done:,} rows, {self._rate():,} a second"
