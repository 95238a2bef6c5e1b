"""What messages refuse.

MessagesRefused
    WebhookEndpointNotFound   WebhookDeliveryNotFound
    WebhookUrlRefused         WebhookTypesRefused
    TooManyWebhookEndpoints   WebhookEndpointDisabled
    WebhookEndpointExists
"""

from collections.abc import Sequence


class MessagesRefused(Exception):
    """A rule of messages says no."""


class WebhookEndpointNotFound(MessagesRefused):
    """There is no such endpoint, or it is another seller's."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(endpoint_id)
        self.endpoint_id = endpoint_id


class WebhookDeliveryNotFound(MessagesRefused):
    """There is no such delivery, or it is another endpoint's."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(delivery_id)
        self.delivery_id = delivery_id


class WebhookUrlRefused(MessagesRefused):
    """We do not send there. `why`: malformed, not_https, has_credentials, has_fragment, port_refused,
    not_public.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WebhookTypesRefused(MessagesRefused):
    """There are no events of these types."""

    def __init__(self, types: Sequence[str], allowed: Sequence[str]) -> None:
        super().__init__(", ".join(types))
        self.types, self.allowed = tuple(types), tuple(allowed)


class MessageNotFound(MessagesRefused):
    """There is no such message."""

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id)
        self.message_id = message_id


class MessageNotGivenUp(MessagesRefused):
    """It was sent, is on its way, or its account is disabled: there is nothing to try again."""

    def __init__(self, message_id: str, state: str) -> None:
        super().__init__(message_id, state)
        self.message_id, self.state = message_id, state


class TooManyWebhookEndpoints(MessagesRefused):
    """A seller has fewer."""

    def __init__(self, limit: int) -> None:
        super().__init__(str(limit))
        self.limit = limit


class WebhookEndpointDisabled(MessagesRefused):
    """Nothing is sent to it: enable it first."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(endpoint_id)
        self.endpoint_id = endpoint_id


class WebhookEndpointExists(MessagesRefused):
    """The seller has an endpoint at this address: it would be told everything twice."""

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(endpoint_id)
        self.endpoint_id = endpoint_id
