"""The inbox as rows: Stripe's events, which were missed, and how far its lists were compared."""

from piccolo.columns import Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class StripeEvent(Table, tablename="stripe_events"):
    """The inbox: every verified event, stored once, answered 200, then worked on."""

    event_id = Varchar(length=80, primary_key=True, default=None)
    # The connected account it is about; null for events of the platform itself.
    account = Varchar(length=64, default=None, null=True)
    # Which of our three addresses it was delivered to.
    door = Varchar(length=10, default=None)
    type = Varchar(length=120, default=None)
    object_id = Varchar(length=80, default=None, null=True)
    livemode = Boolean(default=None)
    payload = Text(default=None)
    state = Varchar(length=10, default=None)
    attempts = Integer(default=None)
    due_at = Timestamptz(default=None, null=True)
    received_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)
    # When an admin had it worked on again: it is given up three days after that.
    replayed_at = Timestamptz(default=None, null=True)
    note = Text(default=None, null=True)

    stripe_events_state_known = Check("state IN ('due', 'waiting', 'done', 'ignored', 'dead')")
    stripe_events_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    stripe_events_door_known = Check("door IN ('platform', 'accounts', 'connect')")


class MissedEvent(Table, tablename="missed_events"):
    """An event that Stripe had and we had not: found in Stripe's list, and stored in the inbox."""

    event_id = Varchar(length=80, primary_key=True, default=None)
    account = Varchar(length=64, default=None, null=True)
    door = Varchar(length=10, default=None)
    type = Varchar(length=120, default=None)
    object_id = Varchar(length=80, default=None, null=True)
    # When Stripe says it happened, and when we found it.
    happened_at = Timestamptz(default=None)
    found_at = Timestamptz(default=None)


class EventFeed(Table, tablename="event_feeds"):
    """How far one of Stripe's lists of events was compared with the inbox."""

    # platform, undelivered, accounts, or a connected account's id.
    id = Varchar(length=80, primary_key=True, default=None)
    # Whose list is read (Stripe-Account); null for the platform's.
    account = Varchar(length=64, default=None, null=True)
    # Everything older was compared.
    since = Timestamptz(default=None)
    # The end of the window being read, and Stripe's cursor within it; null between windows.
    until = Timestamptz(default=None, null=True)
    page_after = Text(default=None, null=True)
    due_at = Timestamptz(default=None)
    # When a window was last finished.
    read_at = Timestamptz(default=None, null=True)

    event_feeds_window = Check("(until IS NULL AND page_after IS NULL) OR until >= since")
