"""The steps of a generation between which a crash leaves something half done."""

from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """Named points between two steps of a generation, where a crash leaves something half done."""

    LEDGER_WRITTEN = "ledger_written"
    BEFORE_SEND = "before_send"
    AFTER_SEND = "after_send"
    AFTER_ID = "after_id"
    POLLING = "polling"
    BEFORE_UPLOAD = "before_upload"
    AFTER_UPLOAD = "after_upload"


class Faults(Protocol):
    """Is told when a step is reached. In production nothing follows; a crash test dies."""

    def reached(self, step: Step) -> None:
        """Take note."""
