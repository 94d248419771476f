"""Statements over vectors, built once: to build one takes longer than to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    bindparam,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from services.common.per_dialect import PerDialect
from services.storage.adapters.tables import assets, meanings, vectors
from services.storage.domain.assets import AssetState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import BindParameter, Select, Update

_M = meanings.c
_LIMIT = bindparam("at_most", type_=BigInteger)
_UNTIL = bindparam("until", type_=BigInteger)
# In words, not by parameters: the indexes are of such rows alone.
_WAITS = _M.embedder == literal_column("''")
READ = _M.embedder != literal_column("''")
_THESE = _M.asset_id.in_(bindparam("identifiers", expanding=True))
_BY: BindParameter[str] = bindparam("by_embedder")
OURS = (_M.try_after == bindparam("ours", type_=BigInteger)) & _WAITS
THIS = _M.asset_id == bindparam("which")
COLUMNS: Mapping[str, Any] = {"embedder": _BY, "dimensions": bindparam("numbers"), "tries": 0}

WAIT = insert(meanings)
DROP = delete(meanings).where(THIS)
FORGET = delete(meanings).where(_THESE)


def _take(*, again: bool) -> Update:
    tried = _M.tries > 0 if again else _M.tries == 0
    due = (
        select(_M.asset_id)
        .where(_WAITS, tried, _M.try_after <= bindparam("moment", type_=BigInteger))
        .order_by(_M.try_after, _M.asset_id)
        .limit(_LIMIT)
        .with_for_update(skip_locked=True)
        # As a subquery it might be asked, and lock, once for every row.
        .cte("due")
    )
    return (
        update(meanings)
        .where(_M.asset_id.in_(select(due.c.asset_id)))
        .values(tries=_M.tries + 1, try_after=_UNTIL)
        .returning(_M.asset_id, _M.tenant, _M.tries)
    )


TAKE: Mapping[bool, Update] = {again: _take(again=again) for again in (True, False)}
PUT_BACK = (
    update(meanings)
    .where(_THESE, OURS)
    .values(tries=_M.tries - bindparam("uncounted"), try_after=_UNTIL)
)


def _insert(insert: Any) -> Any:
    new = insert(vectors)
    return new.on_conflict_do_update(
        index_elements=["asset_id"], set_={"vector": new.excluded.vector}
    )


INSERT = PerDialect(_insert)
_MISSING = (
    select(assets.c.id, assets.c.tenant)
    .where(
        assets.c.state == AssetState.STORED.value,
        assets.c.parent_id == "",
        ~exists().where(_M.asset_id == assets.c.id),
    )
    .limit(_LIMIT)
)
ADD_MISSING = PerDialect(
    lambda insert: (
        insert(meanings).from_select(["asset_id", "tenant"], _MISSING).on_conflict_do_nothing()
    )
)
# Left by a replica of an earlier release that deleted the asset and knew of no vector.
_GONE = (
    select(_M.asset_id)
    .where(~exists().where(assets.c.id == _M.asset_id, assets.c.state == AssetState.STORED.value))
    .limit(_LIMIT)
)
DROP_GONE = delete(meanings).where(_M.asset_id.in_(_GONE))
# Not "other than", which no index finds. What is read still says until when it was taken.
OUTDATED = (
    select(_M.asset_id)
    .where(READ, or_(_M.embedder < _BY, _M.embedder > _BY), _M.try_after <= _UNTIL)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True)
)
FORGET_VECTORS = delete(vectors).where(
    vectors.c.asset_id.in_(bindparam("identifiers", expanding=True))
)
LET_WAIT = (
    update(meanings)
    .where(_THESE)
    .values(embedder="", dimensions=0, signs=None, tries=0, try_after=0)
)
_OF_QUESTION = (
    select(vectors.c.asset_id, vectors.c.vector)
    .join(meanings, _M.asset_id == vectors.c.asset_id)
    .where(
        _M.tenant == bindparam("of_tenant"),
        _M.embedder == _BY,
        _M.dimensions == bindparam("numbers"),
    )
)
# The list in one parameter: a statement for every length of it would be prepared anew.
VECTORS: Mapping[str, Select[Any]] = {
    name: _OF_QUESTION.where(text(f"asset_vectors.asset_id {listed}"))
    for name, listed in (
        ("sqlite", "IN (SELECT value FROM json_each(:identifiers))"),
        ("postgresql", "= ANY(CAST(:identifiers AS text[]))"),
    )
}
