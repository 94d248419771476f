"""What an object store may refuse, and its caller can do in another way."""

from __future__ import annotations


class NotCopiedError(Exception):
    """The store does not copy this object by itself; its bytes have to be sent again."""
