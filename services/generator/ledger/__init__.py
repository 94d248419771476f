"""The intent ledger: a row before the call, the vendor's id after it, a tombstone on cancel."""

from services.generator.ledger.sql_halts import SqlHalts
from services.generator.ledger.sql_ledger import SqlLedger

__all__ = ["SqlHalts", "SqlLedger"]
