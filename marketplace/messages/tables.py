"""Tables of messages: the outbox, and sellers' own webhooks."""

from piccolo.columns import Array, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Message(Table, tablename="messages"):
    """An e-mail to one person, written in the transaction of the fact it tells, sent afterwards."""

    id = Varchar(length=40, primary_key=True, default=None)
    account_id = Varchar(length=40, default=None)
    kind = Varchar(length=40, default=None)
    # What it is about: an order, a seller, a dispute, a payout.
    subject_id = Varchar(length=64, default=None)
    # Once for each cause and person: a fact told twice is one message.
    cause = Varchar(length=160, default=None)
    # JSON: what the text needs; the text is made when it is sent.
    facts = Text(default=None)
    state = Varchar(length=10, default=None)
    attempts = Integer(default=None)
    due_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)
    note = Text(default=None, null=True)

    messages_state_known = Check("state IN ('due', 'sent', 'dead')")
    messages_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    messages_once = Unique([account_id, cause])


class WebhookEndpoint(Table, tablename="webhook_endpoints"):
    """An HTTPS address a seller wants to be told at. The secret is stored because it signs."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    url = Varchar(length=2000, default=None)
    secret = Varchar(length=80, default=None)
    # The one before it signs too until this time, after it was rolled.
    secret_before = Varchar(length=80, default=None, null=True)
    secret_before_until = Timestamptz(default=None, null=True)
    # Which types it wants; empty means all.
    types = Array(base_column=Varchar(), default=None)
    description = Varchar(length=200, default=None)
    disabled_at = Timestamptz(default=None, null=True)
    disabled_reason = Varchar(length=200, default=None, null=True)
    created_at = Timestamptz(default=None)


class SellerEvent(Table, tablename="seller_events"):
    """A fact told to a seller's programs."""

    id = Varchar(length=40, primary_key=True, default=None)
    seller_id = Varchar(length=40, default=None)
    type = Varchar(length=60, default=None)
    subject_id = Varchar(length=64, default=None)
    cause = Varchar(length=160, default=None)
    # JSON: what is delivered.
    data = Text(default=None)
    created_at = Timestamptz(default=None)

    seller_events_once = Unique([seller_id, cause])


class WebhookDelivery(Table, tablename="webhook_deliveries"):
    """One event for one endpoint, tried until it is taken or given up."""

    id = Varchar(length=40, primary_key=True, default=None)
    endpoint_id = Varchar(length=40, default=None)
    event_id = Varchar(length=40, default=None)
    state = Varchar(length=10, default=None)
    attempts = Integer(default=None)
    due_at = Timestamptz(default=None, null=True)
    last_status = Integer(default=None, null=True)
    note = Text(default=None, null=True)
    # JSON, one text each: when it was tried, and what came of it; the latest fifty.
    tries = Array(base_column=Text(), default=list)
    created_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)

    webhook_deliveries_state_known = Check("state IN ('due', 'delivered', 'dead')")
    webhook_deliveries_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    webhook_deliveries_once = Unique([endpoint_id, event_id])
