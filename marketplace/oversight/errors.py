"""What can go wrong in oversight. Classes carry data, not sentences, and no HTTP.

OversightError
|-- EventNotFound           no such event in the inbox
|-- RangeRefused            a time range that ends before it begins
|-- FilterRequired          an act on many needs to say on which
|-- OperationNotFound
|-- OperationConcluded      nothing is open about it
|-- OperationBusy           somebody is asking Stripe at this moment
|-- SwitchNotFound
|-- SwitchRefused           it would not switch anything off that exists
|-- SwitchOffAlready        the same is switched off
|-- SwitchedOff             an admin switched this operation off: nothing was done
|-- FrozenAlready           the seller's money stands still
|-- NotFrozen               it does not
|-- ReconciliationNotFound
|-- ReconciliationRefused   its range cannot be compared
|-- ReconciliationOver      it is done, canceled or failed
|-- CaseNotFound
|-- CaseResolved            nothing is open about it
|-- CaseNotTried            there is nothing about it that could be tried again
`-- CaseOwnerRefused        not an admin
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any


class OversightError(Exception):
    """Root of everything oversight raises."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class EventNotFound(OversightError):
    """No such event in the inbox."""

    def __init__(self, event_id: str) -> None:
        self.event_id = event_id
        super().__init__(event_id)


class RangeRefused(OversightError):
    """The range ends before it begins, or where it begins."""

    def __init__(self, begins: datetime, ends: datetime) -> None:
        self.begins, self.ends = begins, ends
        super().__init__(begins, ends)


class FilterRequired(OversightError):
    """Nothing says which ones are meant: one of `fields` must."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(self.fields)


class OperationNotFound(OversightError):
    """No such operation in the journal."""

    def __init__(self, operation_id: str) -> None:
        self.operation_id = operation_id
        super().__init__(operation_id)


class OperationConcluded(OversightError):
    """Its outcome is known: `state` is `succeeded` or `rejected`."""

    def __init__(self, operation_id: str, state: str) -> None:
        self.operation_id, self.state = operation_id, state
        super().__init__(operation_id, state)


class OperationBusy(OversightError):
    """Some process is asking Stripe about it at this moment."""

    def __init__(self, operation_id: str) -> None:
        self.operation_id = operation_id
        super().__init__(operation_id)


class SwitchNotFound(OversightError):
    """No such switch, or it has ended."""

    def __init__(self, switch_id: str) -> None:
        self.switch_id = switch_id
        super().__init__(switch_id)


class SwitchRefused(OversightError):
    """`field` does not fit: `why` is `unneeded`, `missing`, `unknown` or `past`."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why
        super().__init__(field, why)


class SwitchOffAlready(OversightError):
    """The same operation is off for the same part: `switch_id`."""

    def __init__(self, switch_id: str) -> None:
        self.switch_id = switch_id
        super().__init__(switch_id)


class SwitchedOff(OversightError):
    """An admin switched `operation` off for `scope`, until then (None: until it is switched on).

    `retry_after_seconds` is how long that is from the moment of the refusal.
    """

    def __init__(
        self, operation: str, *, scope: str, reason: str, until: datetime | None, now: datetime
    ) -> None:
        self.operation, self.scope, self.reason, self.until = operation, scope, reason, until
        self.retry_after_seconds = (
            None if until is None else math.ceil((until - now).total_seconds())
        )
        super().__init__(operation, scope, reason, until)


class FrozenAlready(OversightError):
    """The seller's money stands still already."""

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(seller_id)


class NotFrozen(OversightError):
    """The seller's money does not stand still."""

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(seller_id)


class ReconciliationNotFound(OversightError):
    """No such run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(run_id)


class ReconciliationRefused(OversightError):
    """`field` is wrong: `why` is `not_after_since`, `in_the_future` or `too_long_ago` (ten years)."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why
        super().__init__(field, why)


class ReconciliationOver(OversightError):
    """The run has ended: `state` is `done`, `canceled` or `failed`."""

    def __init__(self, run_id: str, state: str) -> None:
        self.run_id, self.state = run_id, state
        super().__init__(run_id, state)


class CaseNotFound(OversightError):
    """No such case."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id
        super().__init__(case_id)


class CaseResolved(OversightError):
    """Somebody has resolved it; it is opened again when the same is found again."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id
        super().__init__(case_id)


class CaseNotTried(OversightError):
    """Nothing about it can be tried again: it is a difference, or what was refused is no longer owed."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id
        super().__init__(case_id)


class CaseOwnerRefused(OversightError):
    """Only admins look after cases; this account is none."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        super().__init__(account_id)
