"""One replica: tries to hold money many times at once and prints how often it could."""

import asyncio
import sys

from services.common import clock
from services.common.database import Database
from services.common.errors import BudgetExceeded
from services.orchestrator.adapters.sql_ledger import SqlLedger
from tests.unit.orchestrator.examples import charge

PRICE = 1_000_000


async def admitted(database: Database, replica: str, requests: int) -> int:
    """How many of the requests, each a job of its own, got their hold."""
    ledger = SqlLedger(database, now=clock.now)

    async def ask(number: int) -> bool:
        mine = charge(job=f"{replica}x{number}", project="spring", creative=f"c{number % 3}")
        try:
            return await ledger.hold(mine, PRICE) == PRICE
        except BudgetExceeded:
            return False

    return sum(await asyncio.gather(*map(ask, range(requests))))


async def main(url: str, replica: str, requests: str) -> None:
    async with Database(url, schema="orchestrator", pool_size=8) as database:
        await database.ping()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(await admitted(database, replica, int(requests)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
