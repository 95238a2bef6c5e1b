"""Stripe's Customers and saved cards as rows."""

from piccolo.columns import Boolean, Integer, Timestamptz, Varchar
from piccolo.table import Table


class BuyerCustomer(Table, tablename="buyer_customers"):
    """Stripe's Customer of one buyer, made when first needed."""

    buyer_id = Varchar(length=40, primary_key=True, default=None)
    # Null until Stripe has answered.
    customer_id = Varchar(length=64, default=None, null=True, unique=True)
    # When Stripe's list of this buyer's cards is to be read again; the sweep reads it.
    refresh_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=None)


class Card(Table, tablename="cards"):
    """A buyer's saved card as Stripe shows it; only what may be kept and what people recognise it by."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    payment_method_id = Varchar(length=64, default=None, unique=True)
    brand = Varchar(length=24, default=None, null=True)
    last4 = Varchar(length=4, default=None, null=True)
    expiry_month = Integer(default=None, null=True)
    expiry_year = Integer(default=None, null=True)
    fingerprint = Varchar(length=64, default=None, null=True)
    is_default = Boolean(default=None)
    created_at = Timestamptz(default=None)
    removed_at = Timestamptz(default=None, null=True)


class CardSetup(Table, tablename="card_setups"):
    """A SetupIntent: a card being saved without a payment. The client secret is kept nowhere."""

    id = Varchar(length=40, primary_key=True, default=None)
    buyer_id = Varchar(length=40, default=None)
    stripe_setup_id = Varchar(length=64, default=None, null=True, unique=True)
    status = Varchar(length=32, default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
