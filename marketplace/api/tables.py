"""Tables of the API itself."""

from piccolo.columns import Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class IdempotentRequest(Table, tablename="idempotent_requests"):
    """A POST with an Idempotency-Key: its fingerprint, and the answer it got."""

    id = Varchar(length=40, primary_key=True, default=None)
    # The account, or a mark of the anonymous caller.
    principal = Varchar(length=80, default=None)
    key = Varchar(length=255, default=None)
    fingerprint = Varchar(length=64, default=None)
    status_code = Integer(default=None, null=True)
    content_type = Varchar(length=80, default=None, null=True)
    # Null when the answer holds a secret: those are made again or refused, never stored.
    answer = Text(default=None, null=True)
    started_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)

    idempotent_requests_once = Unique([principal, key])
    idempotent_requests_concluded = Check("(status_code IS NULL) = (concluded_at IS NULL)")
