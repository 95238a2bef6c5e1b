"""Tables of tax."""

from piccolo.columns import Text, Timestamptz, Varchar
from piccolo.table import Table


class SellerTaxDetails(Table, tablename="seller_tax_details"):
    """What a seller says of themselves for the tax authorities, as it is now."""

    seller_id = Varchar(length=40, primary_key=True, default=None)
    # JSON: names, address, tax numbers, date of birth. Personal data.
    details = Text(default=None)
    updated_by = Varchar(length=60, default=None)
    updated_at = Timestamptz(default=None)
