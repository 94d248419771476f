"""What a generator is made of: its means, its machine's keeper, keys and halts."""

from contextlib import AsyncExitStack

from services.common import clock
from services.common.background import background
from services.common.database import Database
from services.common.telemetry import get_logger
from services.generator.adapters.picture_size import size_of
from services.generator.adapters.storage_client import StorageClient
from services.generator.catalogue.gpus import with_gpu_rate
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.generation import Generation
from services.generator.ledger import SqlHalts, SqlVendorKeys
from services.generator.settings import Settings
from services.generator.usecases.halting import Halting
from services.generator.usecases.machine import Machine
from services.generator.usecases.means import Means
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Books
from services.generator.usecases.sending import Sending
from services.generator.usecases.storing import Storing
from services.generator.worker.backends import ModelBackends
from services.generator.worker.eraser import keep_erasing
from services.generator.worker.faults import Crash
from services.generator.worker.here import Here
from services.generator.worker.keeper import Keeper

log = get_logger(__name__)


async def open_vendor_keys(
    settings: Settings, database: Database, stack: AsyncExitStack
) -> SqlVendorKeys | None:
    """Return the tenants' own keys, erased in time; None where none are taken in."""
    if settings.sealing is None:
        return None
    keys = SqlVendorKeys(database, settings.sealing)
    await stack.enter_async_context(background("vendor-keys", keep_erasing(keys)))
    return keys


async def keep_halting(settings: Settings, database: Database, stack: AsyncExitStack) -> Halting:
    """Return the credentials that are halted, read again at every heartbeat."""
    halting = Halting(SqlHalts(database))
    halts = background("halts", halting.keep(settings.heartbeat_seconds))
    await stack.enter_async_context(halts)
    return halting


def means_of(
    settings: Settings,
    books: Books,
    *,
    backends: ModelBackends,
    halting: Halting,
    storage: StorageClient,
    here: Here,
) -> Means:
    """Return what one generation is driven with."""
    listed = load_catalogue(settings.price_list)
    catalogue = here.listed(with_gpu_rate(listed, settings.gpu_rate, clock.now().date()))
    return Means(
        books=books,
        catalogue=catalogue,
        backends=backends,
        sending=Sending(storage, size_of, books.ledger.get),
        storing=Storing(storage, catalogue.get, patience=settings.storing_patience_seconds),
        faults=Crash(settings.fault_point),
        halting=halting,
        patience=Patience(
            queue=settings.queue_seconds,
            absence=settings.absence_seconds,
            second_looks=settings.second_looks_seconds,
        ),
    )


async def keep_going(
    settings: Settings, books: Books, *, machine: Machine, stack: AsyncExitStack
) -> None:
    """Take over what others left behind until `stack` closes; then give up what is under way."""
    keeper = Keeper(
        books.ledger,
        machine,
        owner=books.owner,
        every=settings.heartbeat_seconds,
        lease=settings.lease_seconds,
        now=clock.now,
    )
    stack.push_async_callback(books.ledger.retire, books.owner)
    stack.push_async_callback(machine.close, settings.drain_grace)
    await stack.enter_async_context(keeper.keeping(settings.replica_name))


def report(generation: Generation, error: BaseException) -> None:
    """Log what should never happen: a generation whose drive broke."""
    log.error("drive broke", generation=generation.name, state=generation.state, exc_info=error)
