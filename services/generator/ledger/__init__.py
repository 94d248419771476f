"""The intent ledger: a row before the call, the vendor's id after it, a tombstone on cancel."""

from services.generator.ledger.sql_halts import SqlHalts
from services.generator.ledger.sql_ledger import SqlLedger
from services.generator.ledger.vendor_keys import SqlVendorKeys

__all__ = ["SqlHalts", "SqlLedger", "SqlVendorKeys"]
