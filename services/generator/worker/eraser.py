"""Erases tenants' keys that were taken out of use, once nothing is under way with them."""

from services.common.background import rounds
from services.generator.domain.vendor_keys import VendorKeys

EVERY_SECONDS = 60.0


async def keep_erasing(keys: VendorKeys) -> None:
    """Look once a minute, for ever."""
    # While the database is away what is to be erased waits: new work does not use it anyway.
    await rounds(keys.erase, EVERY_SECONDS, failed="vendor_keys_not_erased")
