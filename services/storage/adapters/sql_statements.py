"""Statements over assets, built once: to build one takes longer than to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    bindparam,
    case,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from services.common.per_dialect import PerDialect
from services.storage.adapters.tables import assets, events, reuses, usage
from services.storage.domain.assets import AssetState
from services.storage.domain.uses import MAX_SAVED_MICROS

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, ColumnElement

WHICH: BindParameter[str] = bindparam("which")
TENANT: BindParameter[str] = bindparam("of_tenant")
LIMIT: BindParameter[int] = bindparam("at_most")
MOMENT: BindParameter[int] = bindparam("moment")
_THIS = assets.c.id == WHICH
_OF_TENANT = assets.c.tenant == TENANT
_WRITING = assets.c.state == AssetState.WRITING.value
_STORED = assets.c.state == AssetState.STORED.value
_GIVEN_UP = assets.c.state == AssetState.GIVEN_UP.value
_DELETED = assets.c.state == AssetState.DELETED.value
# Said where it goes without saying, too: the index of ages leaves out what is gone for good.
_UNPURGED = assets.c.purge_time.is_(None)
# In words, not by parameters: the indexes of such rows have no others, which most rows are. A
# database that counts them would rather read all of them than look a few up among the rest.
_CHILD = assets.c.parent_id != literal_column("''")
IN_SPOOL = assets.c.spool != literal_column("''")
_EVERY = select(assets)


def _state(state: AssetState) -> ColumnElement[bool]:
    """Return the condition in words, not by a parameter: an index of one state alone serves it."""
    return assets.c.state == literal_column(f"'{state.value}'")


def _saved(more: ColumnElement[int]) -> ColumnElement[int]:
    """Return the saving with ``more``, up to what fits: a larger sum is a float, or fails."""
    most: ColumnElement[int] = literal(MAX_SAVED_MICROS, BigInteger)
    return case((assets.c.saving_micros > most - more, most), else_=assets.c.saving_micros + more)


INSERT_NEW = PerDialect(lambda insert: insert(assets).on_conflict_do_nothing())
INSERT_REUSE = PerDialect(lambda insert: insert(reuses).on_conflict_do_nothing())
INSERT = insert(assets)
INSERT_EVENT = insert(events)
DELETE_EVENTS = delete(events).where(events.c.id.in_(bindparam("identifiers", expanding=True)))
OLDEST_EVENTS = select(events).order_by(events.c.event_time).limit(LIMIT)

# Values are those columns that the parameters name.
CHANGE = update(assets).where(_THIS)
CHANGE_WRITING = update(assets).where(_THIS, _WRITING)
DELETE_STORED = update(assets).where(_THIS, _STORED, assets.c.legal_hold.is_(False))
HOLD = update(assets).where(_THIS, _STORED)
HOLD_CHILDREN = update(assets).where(assets.c.parent_id == WHICH, _CHILD, _STORED)
# Locked until the child is committed: whoever holds the parent then sees the child.
HELD_PARENT = select(assets.c.legal_hold).where(_THIS).with_for_update(read=True)
# Never what waits in a spool: its bytes may be nowhere else.
_OF_ATTEMPT = (
    _THIS & (assets.c.attempt == bindparam("of_attempt")) & _WRITING & (assets.c.spool == "")
)
ABANDON = delete(assets).where(_OF_ATTEMPT)
# Nobody was told the id of what was never stored: no caller can send this request id.
RELEASED = literal("given up ") + assets.c.id
_LET_GO = {"state": AssetState.GIVEN_UP.value, "request_id": RELEASED}
GIVE_UP = update(assets).where(_OF_ATTEMPT).values(_LET_GO)
GIVE_UP_STALE = (
    update(assets)
    .where(_WRITING, assets.c.update_time < MOMENT, assets.c.spool == "", _UNPURGED)
    .values(_LET_GO)
)
FORGET = delete(assets).where(_THIS, _GIVEN_UP)
REUSE = (
    update(assets)
    .where(assets.c.id.in_(bindparam("parents", expanding=True)), _OF_TENANT)
    .values(
        reuse_count=assets.c.reuse_count + 1,
        saving_micros=_saved(assets.c.cost_micros),
    )
)
COUNT_USE = (
    update(assets)
    .where(_THIS, _OF_TENANT, _STORED)
    .values(
        reuse_count=assets.c.reuse_count + 1,
        saving_micros=_saved(bindparam("saved", type_=BigInteger)),
    )
)
REUSED_ASSET = select(reuses.c.asset_id).where(
    reuses.c.tenant == TENANT, reuses.c.request_id == bindparam("of_request")
)
FORGET_REUSES = delete(reuses).where(reuses.c.asset_id == WHICH)
GIVE_BACK = (
    update(usage)
    .where(usage.c.tenant == TENANT)
    .values(size_bytes=usage.c.size_bytes - bindparam("bytes"), assets=usage.c.assets - 1)
)

BY_ID = _EVERY.where(_THIS, _OF_TENANT, ~_GIVEN_UP)
BY_REQUEST = _EVERY.where(_OF_TENANT, assets.c.request_id == bindparam("of_request"))
BY_IDS = _EVERY.where(
    _OF_TENANT, _STORED, assets.c.id.in_(bindparam("identifiers", expanding=True))
)
CHILDREN = _EVERY.where(_OF_TENANT, assets.c.parent_id == WHICH, _CHILD, _STORED)
DERIVED = select(assets.c.parent_id, assets.c.role, assets.c.id).where(
    assets.c.parent_id.in_(bindparam("identifiers", expanding=True)), _CHILD, _STORED
)
TWIN_KEY = (
    select(assets.c.stem, assets.c.iteration, assets.c.extension)
    .where(
        _OF_TENANT,
        assets.c.sha256 == bindparam("of_sha256"),
        assets.c.size_bytes == bindparam("of_size"),
        _STORED,
    )
    .limit(1)
)
COUNTED = select(usage.c.assets).where(usage.c.tenant == TENANT)
USED = select(usage.c.size_bytes).where(usage.c.tenant == TENANT)
# What was dropped from a spool keeps what it waited in: it never was here.
_WAS_HERE = _STORED | (_DELETED & (assets.c.spool == ""))
EVERYTHING = (
    _EVERY.where(_OF_TENANT, _WAS_HERE, assets.c.id > WHICH).order_by(assets.c.id).limit(LIMIT)
)

# The worker's questions, over every tenant; what it was refused in this round is left out.
_NOT_BUT = assets.c.id.not_in(bindparam("but", expanding=True))
GIVEN_UP = _EVERY.where(_GIVEN_UP, _UNPURGED, _NOT_BUT).limit(LIMIT)
UNDERIVED = (
    _EVERY.where(
        assets.c.derive_time.is_(None),
        _state(AssetState.STORED),
        assets.c.derive_step == bindparam("of_step"),
        assets.c.tenant > bindparam("after"),
        assets.c.try_after <= MOMENT,
    )
    .order_by(assets.c.tenant, assets.c.try_after, assets.c.id)
    .limit(1)
)
ROLES_MADE = select(assets.c.role).where(assets.c.parent_id == WHICH, _CHILD, _WAS_HERE).distinct()
NEWEST_IDS = select(assets.c.id).order_by(assets.c.id.desc()).limit(LIMIT)
IDS_BEFORE = NEWEST_IDS.where(assets.c.id < WHICH)
# Those that were looked through once; they wait behind what was never tried.
DERIVE_AGAIN = (
    update(assets)
    .where(
        assets.c.id.in_(bindparam("identifiers", expanding=True)),
        _state(AssetState.STORED),
        assets.c.derive_roles != bindparam("of_roles"),
        or_(assets.c.derive_time > 0, assets.c.derive_roles != ""),
    )
    .values(derive_time=None, derive_step="quick", derive_roles="", tries=0, try_after=1)
)
# Ours if nobody is at it: the try is counted before it begins, so that a crash counts as well.
BEGIN_TRY = (
    update(assets)
    .where(
        _THIS,
        _STORED,
        assets.c.try_after <= MOMENT,
        or_(assets.c.derive_time.is_(None), assets.c.parent_id != ""),
    )
    .values(tries=assets.c.tries + 1, try_after=bindparam("until", type_=BigInteger))
    .returning(assets.c.tries)
)
_OURS = assets.c.try_after.in_(bindparam("ours", expanding=True, type_=BigInteger))
END_TRY = update(assets).where(_THIS, _OURS)
PUT_OFF = (
    update(assets)
    .where(_THIS, _OURS)
    .values(
        tries=assets.c.tries - bindparam("uncounted"),
        try_after=bindparam("until", type_=BigInteger),
    )
)
# In the order of an index, which is read then: a database that takes the proofs of deletions for
# due would read the whole table and find next to nothing.
# What was dropped from a spool may be on its way for much longer.
NOT_PURGED = (
    _EVERY.where(
        _DELETED,
        assets.c.update_time < MOMENT,
        or_(assets.c.spool == "", assets.c.update_time < bindparam("stale", type_=BigInteger)),
        _UNPURGED,
        _NOT_BUT,
    )
    .order_by(assets.c.update_time)
    .limit(LIMIT)
)
WITH_ROLE = (
    _EVERY.where(
        assets.c.role == bindparam("of_role"),
        assets.c.create_time <= MOMENT,
        _STORED,
        assets.c.legal_hold.is_(False),
        assets.c.try_after <= bindparam("due", type_=BigInteger),
    )
    .order_by(assets.c.create_time)
    .limit(LIMIT)
)
_child = assets.alias("child")
_HELD_CHILD = exists().where(
    _child.c.parent_id == assets.c.id,
    _child.c.parent_id != literal_column("''"),
    _child.c.state == AssetState.STORED.value,
    _child.c.legal_hold.is_(True),
)
EXPIRED = (
    _EVERY.where(
        assets.c.expire_time <= MOMENT,
        _state(AssetState.STORED),
        assets.c.legal_hold.is_(False),
        ~_HELD_CHILD,
        _NOT_BUT,
    )
    .order_by(assets.c.expire_time)
    .limit(LIMIT)
)
