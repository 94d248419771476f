"""Reads a vendor's bill: CSV with a head, a JSON list of rows, or JSON with the rows in `rows`."""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import InvalidArgument
from services.generator.domain.bill import Charge

_COLUMNS = ("job_id", "amount_usd or amount_micros", "time", "reference", "refunded")


class BillRow(BaseModel):
    """One charge; columns that are not named here are left aside."""

    model_config = ConfigDict(extra="ignore")

    job_id: str
    time: datetime
    amount_micros: int | None = None
    amount_usd: Decimal | None = None
    refunded: bool = False
    reference: str = Field("", validation_alias=AliasChoices("reference", "idempotency_key"))

    def charge(self) -> Charge:
        """Return it as a charge. Raises InvalidArgument when no whole micro-USD are given."""
        micros = self.amount_micros
        if micros is None and self.amount_usd is not None:
            exact = self.amount_usd * 1_000_000
            micros = int(exact) if exact == exact.to_integral_value() else None
        if micros is None:
            message = "is needed, in amount_usd or amount_micros, no finer than a millionth"
            raise InvalidArgument("bill.amount", message)
        taken = 0 if self.refunded else micros
        return Charge(job=self.job_id, micros=taken, time=self.time, reference=self.reference)


def read_bill(path: Path) -> list[Charge]:
    """Return the charges in a file. Raises InvalidArgument, naming the row and the column."""
    try:
        rows = list(_rows(path))
    except (OSError, ValueError, csv.Error) as error:
        message = f"{path.name} cannot be read: {error}"
        raise InvalidArgument("bill", message, allowed=_COLUMNS) from error
    return [_charge(number, row) for number, row in enumerate(rows, start=1)]


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() != ".json":
        return csv.DictReader(text.splitlines())
    found = json.loads(text)
    rows: list[Mapping[str, Any]] = found["rows"] if isinstance(found, dict) else found
    return rows


def _charge(number: int, row: Mapping[str, Any]) -> Charge:
    try:
        known = {name: value for name, value in row.items() if value not in {"", None}}
        return BillRow.model_validate(known).charge()
    except (ValidationError, AttributeError) as error:
        message = f"row {number} does not hold together: {error}"
        raise InvalidArgument("bill", message, allowed=_COLUMNS) from error
