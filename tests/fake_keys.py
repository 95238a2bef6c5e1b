"""How the fake of Stripe answers each idempotency key once, and how it fails when told to."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import msgspec

from payments.errors import (
    NotSent,
    OutcomeUnknown,
    PaymentError,
    StripeMisconfigured,
    StripeRejected,
)
from payments.gateway import Draft

Fault = Literal["lost_before", "lost_after", "rate_limit", "error_500", "error_500_after"]
Shown = TypeVar("Shown")


class Asked(msgspec.Struct, frozen=True):
    """One request that reached the fake."""

    method: str
    key: str
    draft: Draft


class _Kept(msgspec.Struct):
    """The first outcome under a key: a snapshot or an error, given again."""

    method: str
    draft: Draft
    outcome: Any


class AnsweredOnce:
    """Every mutating request comes through here; what tests make fail, fails here."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self._keys: dict[str, _Kept] = {}

    def lose_answer_before(self, times: int = 1) -> None:
        """The next requests are lost on their way: nothing happens, nothing is answered."""
        self.faults += ["lost_before"] * times

    def lose_answer_after(self, times: int = 1) -> None:
        """The next requests are carried out, and their answers lost."""
        self.faults += ["lost_after"] * times

    def be_busy(self, times: int = 1) -> None:
        """The next requests are answered 429."""
        self.faults += ["rate_limit"] * times

    def store_500(self, *, executed: bool) -> None:
        """The next request is answered 500, kept under its key, whether carried out or not."""
        self.faults.append("error_500_after" if executed else "error_500")

    def once(self, method: str, draft: Draft, key: str, execute: Callable[[], Shown]) -> Shown:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "rate_limit":
            raise NotSent("rate_limit")
        if fault == "lost_before":
            raise OutcomeUnknown("lost")
        self.asked.append(Asked(method, key, draft))
        kept, replayed = self._keys.get(key), key in self._keys
        if kept is None:
            kept = self._keys[key] = self._first(method, draft, fault, execute)
        if (kept.method, kept.draft) != (method, draft):
            raise StripeMisconfigured("idempotency_error")
        if fault == "lost_after":
            raise OutcomeUnknown("lost")
        if kept.outcome is None:
            raise OutcomeUnknown("http_500", replayed=replayed)
        if isinstance(kept.outcome, PaymentError):
            raise kept.outcome
        return cast(Shown, kept.outcome)

    def _first(
        self, method: str, draft: Draft, fault: Fault | None, execute: Callable[[], Any]
    ) -> _Kept:
        outcome: Any = None
        if fault != "error_500":
            try:
                outcome = execute()
            except StripeRejected as rejection:
                outcome = rejection
        return _Kept(method, draft, None if fault == "error_500_after" else outcome)
