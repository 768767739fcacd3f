"""Where the mails are kept. What is asynchronous here, `service.py` must await."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Store:
    """Nothing in the calls of these methods shows that they need an `await`."""

    async def mark_sent(self, mail: int) -> None:
        """Remember that a mail has gone out."""

    def fetch(self, mail: int) -> Deferred[bytes]:
        """The text of a mail, once the database has answered."""
        return Deferred()

    def connect(self) -> Deferred[str]:
        """A session with the mail server."""
        return Deferred()
