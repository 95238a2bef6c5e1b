"""Where products are sent: a name and a postal address, checked for what no parcel could do without."""

from typing import Final

from marketplace.orders.errors import ShippingRefused
from payments.gateway import Address, Shipping

_LONGEST: Final = 200
_DIGITS: Final = frozenset("0123456789")
_OF_PHONES: Final = _DIGITS | frozenset("+()-./ ")


def checked(shipping: Shipping, countries: frozenset[str]) -> Shipping:
    """The address without blanks around anything; what is empty is absent.

    Raises ShippingRefused with the field that is missing, too long, or not what it says.
    """
    address = shipping.address
    kept = Shipping(
        name=_text("name", shipping.name),
        phone=_optional("phone", shipping.phone),
        address=Address(
            line1=_text("address.line1", address.line1),
            line2=_optional("address.line2", address.line2),
            city=_text("address.city", address.city or ""),
            postal_code=_optional("address.postal_code", address.postal_code),
            state=_optional("address.state", address.state),
            country=address.country,
        ),
    )
    phone = set(kept.phone or "0")
    if not (phone & _DIGITS and phone <= _OF_PHONES):
        raise ShippingRefused("phone")
    if address.country not in countries:
        raise ShippingRefused("address.country")
    return kept


def _text(field: str, given: str) -> str:
    text = given.strip()
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise ShippingRefused(field)
    return text


def _optional(field: str, given: str | None) -> str | None:
    return _text(field, given) if given is not None and given.strip() else None
