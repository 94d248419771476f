"""What the store or a record may refuse, and its caller can do in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.errors import Aborted, Unavailable

if TYPE_CHECKING:
    from services.common.errors import FailedPrecondition

_RETRY_AFTER = 5.0


class NotCopiedError(Exception):
    """The store does not copy this object by itself; its bytes have to be sent again."""


class GivenUpError(Aborted):
    """The upload was dropped or given up while its file was on its way: nothing was stored.

    Its request id is free, and the same request begins anew.
    """

    def __init__(self) -> None:
        super().__init__("the upload was given up meanwhile; send it again")


class StoreAwayError(Exception):
    """The blob store itself does not take a whole file; ``error`` is what it says.

    It may be away, or refuse for a reason that an operator can mend: the file is good either way.
    """

    def __init__(self, error: Unavailable | FailedPrecondition) -> None:
        super().__init__(error.message)
        self.error = error

    def told(self) -> Unavailable:
        """Return what a caller is told whose file could be kept nowhere: to come again."""
        return Unavailable(self.error.message, self.error.retry_after or _RETRY_AFTER)

    def without_room(self) -> Unavailable:
        """Return what a caller is told whose file has no room in the spool either."""
        text = f"{self.error.message}; the spool has no room for the file"
        return Unavailable(text, self.error.retry_after or _RETRY_AFTER)

    def waiting(self, name: str) -> Unavailable:
        """Return what a caller is told whose file waits in the spool, as the asset ``name``."""
        safe = "the file is safe in the spool and stored as soon as that is over"
        text = f"{self.error.message}; {safe}"
        return Unavailable(text, _RETRY_AFTER, metadata={"spooled": "true", "asset": name})
