"""A `TrackingGateway` in memory: what Stripe shows of each charge's parcel."""

from payments.ids import IdempotencyKey
from payments.tracking import TrackingDraft, TrackingWritten
from tests.fake_keys import AnsweredOnce


class FakeTracking(AnsweredOnce):
    """Stripe's charges as far as parcels go."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, TrackingWritten] = {}

    async def write_tracking(self, draft: TrackingDraft, key: IdempotencyKey) -> TrackingWritten:
        return self.once("write_tracking", draft, key, lambda: self._write(draft))

    async def read_tracking(self, charge_id: str) -> TrackingWritten:
        nothing = TrackingWritten(
            charge_id=charge_id, carrier=None, tracking_number=None, request_id=None
        )
        return self.shown.get(charge_id, nothing)

    def _write(self, draft: TrackingDraft) -> TrackingWritten:
        self.shown[draft.charge_id] = TrackingWritten(
            charge_id=draft.charge_id,
            carrier=draft.carrier,
            tracking_number=draft.tracking_number,
            request_id=None,
        )
        return self.shown[draft.charge_id]
