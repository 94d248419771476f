"""What an operator does by `python -m services.generator`, apart from serving."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.common import clock
from services.common.database import Database
from services.common.errors import FailedPrecondition, InvalidArgument
from services.generator.adapters.bill_file import read_bill
from services.generator.adapters.vendor_bills import FalBill
from services.generator.domain.bill import Period
from services.generator.domain.generation import Generation
from services.generator.ledger import SqlHalts, SqlLedger, SqlVendorKeys
from services.generator.providers import adapters
from services.generator.providers.connections import vendor_http
from services.generator.settings import BillSettings, Settings
from services.generator.usecases.billing import Billing, Reckoning
from services.generator.usecases.reconciliation import Reconciliation

__all__ = ["Reckoning", "halted", "parse", "reckon_bill", "reckon_fetched", "reconcile", "resume"]

# What was sent shortly before the first charge may be what it is for.
_BEFORE = timedelta(minutes=5)
_AFTER = timedelta(minutes=1)
_DAY = timedelta(days=1)
# Vendors that hand out a bill with a charge for each job.
BILLS = ("fal",)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the operator says; prints the usage and exits when it is not understood."""
    parser = argparse.ArgumentParser(prog="python -m services.generator")
    commands = parser.add_subparsers(dest="command")
    reconcile = commands.add_parser(
        "reconcile", help="settle a generation whose outcome is unknown"
    )
    reconcile.add_argument("name", help="generations/{id}")
    found = reconcile.add_mutually_exclusive_group(required=True)
    found.add_argument("--job", default="", help="the vendor's id of the job, from its dashboard")
    found.add_argument(
        "--never-arrived", action="store_true", help="the vendor has no such job and no charge"
    )
    commands.add_parser(
        "seal-vendor-keys",
        help="encrypt tenants' vendor keys with the first of GENERATOR_VENDOR_KEYS_SECRET",
    )
    return parser.parse_args(arguments)


async def act(settings: Settings, asked: argparse.Namespace) -> str:
    """Do what the operator says and return a sentence about it. Raises ServiceError."""
    if asked.command == "seal-vendor-keys":
        return await seal_vendor_keys(settings)
    settled = await reconcile(settings, asked)
    return f"{settled.name} is {settled.state}"


async def seal_vendor_keys(settings: Settings) -> str:
    """Encrypt tenants' keys with the newest encryption key. Raises FailedPrecondition."""
    if settings.sealing is None:
        message = "GENERATOR_VENDOR_KEYS_SECRET is not set"
        raise FailedPrecondition(message)
    async with _database(settings.database_location()) as database:
        count = await SqlVendorKeys(database, settings.sealing).seal_anew()
    return f"{count} vendor keys are encrypted with the first key of GENERATOR_VENDOR_KEYS_SECRET"


async def reconcile(settings: Settings, asked: argparse.Namespace) -> Generation:
    """Do what the operator says and return the generation as it is now."""
    identifier = asked.name.removeprefix("generations/")
    async with _database(settings.database_location()) as database:
        office = Reconciliation(SqlLedger(database), now=clock.now)
        if asked.job:
            return await office.found(identifier, asked.job)
        return await office.never_arrived(identifier)


async def reckon_bill(
    location: str, providers: Sequence[str], bill: Path, *, whole: bool
) -> Reckoning:
    """Hold the bill in a file against what was sent to its providers, and settle what it tells.

    `whole` says that no charge is missing from its first to its last. Raises InvalidArgument.
    """
    unknown = sorted(set(providers) - set(adapters()))
    if unknown:
        raise InvalidArgument("provider", f"{unknown[0]!r} is unknown", allowed=sorted(adapters()))
    charges = await asyncio.to_thread(read_bill, bill)
    if not charges:
        return Reckoning(findings=(), corrections=())
    times = [charge.time for charge in charges]
    period = Period(start=min(times) - _BEFORE, end=max(times) + _AFTER, whole=whole)
    async with _database(location) as database:
        billing = Billing(SqlLedger(database), SqlHalts(database), now=clock.now)
        return await billing.reckon(providers, charges, period)


async def reckon_fetched(
    location: str, vendor: str, day: datetime | None, *, whole: bool
) -> tuple[Reckoning, Sequence[str]]:
    """Ask a vendor for its bill of a day, hold it against what was sent, settle what it tells.

    The day is one of UTC, yesterday where it is None; `whole` as for `reckon_bill`. Returns what
    came of it and the providers on the bill. Raises InvalidArgument for a vendor that hands out no
    bill, FailedPrecondition without a key for it, ProviderRefused, Unavailable.
    """
    if vendor not in BILLS:
        raise InvalidArgument("vendor", f"{vendor!r} hands out no bill", allowed=sorted(BILLS))
    settings = BillSettings()
    key = settings.fal_admin_key.get_secret_value()
    if not key:
        message = "FAL_ADMIN_KEY is not set: fal gives its bill to admin keys alone"
        raise FailedPrecondition(message)
    async with vendor_http() as http, _database(location) as database:
        source = FalBill(http=http, base_url=settings.fal_platform_url, key=key)
        begin = (day or clock.now() - _DAY).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC
        )
        period = Period(start=begin, end=begin + _DAY, whole=whole)
        charges = await source.charges(period.start, period.end)
        billing = Billing(SqlLedger(database), SqlHalts(database), now=clock.now)
        return await billing.reckon(source.providers, charges, period), source.providers


async def halted(location: str) -> Mapping[str, str]:
    """Return the providers to which nothing is sent, each with the reason."""
    async with _database(location) as database:
        return await SqlHalts(database).halted()


async def resume(location: str, provider: str) -> bool:
    """Let a halted provider be used again; False when it was not halted."""
    async with _database(location) as database:
        return await SqlHalts(database).resume(provider)


def _database(location: str) -> Database:
    return Database(location, schema="generator", pool_size=0)
