"""Erases tenants' keys that were taken out of use, once nothing is under way with them."""

import asyncio

from services.common.telemetry import get_logger
from services.generator.domain.vendor_keys import VendorKeys

EVERY_SECONDS = 60.0
log = get_logger(__name__)


async def keep_erasing(keys: VendorKeys) -> None:
    """Look once a minute, for ever."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await keys.erase()
        except Exception:
            # The database is away: what is to be erased waits, new work does not use it anyway.
            log.exception("vendor keys could not be erased")
