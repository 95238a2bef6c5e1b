"""Stripe's lists, walked page by page to their end."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from payments.stripe_client import StripeApi
from payments.stripe_wire import Item, Page

PAGE: Final = 100
"""As many as Stripe gives at once."""


async def pages(
    api: StripeApi,
    path: str,
    params: Mapping[str, Any],
    kind: type[Page[Item]],
    *,
    account: str | None = None,
) -> AsyncIterator[tuple[list[Item], str | None]]:
    """Each page that has anything, with the id of the request that answered it.

    Of the platform, or of one connected account. Raises what `StripeApi.request` does.
    """
    after: str | None = None
    while True:
        asked = {**params, "limit": PAGE, "starting_after": after}
        answer = await api.request("get", path, asked, account=account)
        page = answer.read(kind)
        if page.data:
            yield page.data, answer.request_id
        if not page.has_more or not page.data:
            return
        after = page.data[-1].id
