"""What can go wrong with reports. Classes carry data, not sentences, and no HTTP."""


class BooksError(Exception):
    """Root of everything books raise."""


class StatementNotFound(BooksError):
    """There is no such month, or it has not begun."""

    def __init__(self, month: str) -> None:
        self.month = month
        super().__init__(month)
