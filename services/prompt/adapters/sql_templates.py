"""Templates in SQLite or PostgreSQL."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from typing_extensions import override

from services.common.database import Database
from services.common.errors import Aborted, RequestConflict
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.templates import Page, Template, TemplateContent, TemplateStore

_MICROS = 1_000_000
TEMPLATES = sa.Table(
    "templates",
    sa.MetaData(),
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("display_name", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("defaults", sa.JSON),
    sa.Column("create_time", sa.BigInteger),
    sa.Column("request_id", sa.String(128)),
)


class SqlTemplates(TemplateStore):
    """One row for each version; versions are never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def add(self, template: Template) -> Template:
        before = await self._by_request(template)
        if before is None:
            try:
                async with self._database.begin() as connection:
                    await connection.execute(TEMPLATES.insert().values(**_row(template)))
            except IntegrityError as error:
                before = await self._by_request(template)
                if before is None:
                    msg = "somebody else made that version"
                    raise Aborted(msg) from error
            else:
                return template
        same_place = before.id == template.id or template.version == before.version == 1
        if before.content != template.content or not same_place:
            raise RequestConflict(template.request_id)
        return before

    @override
    async def get(self, tenant: str, template_id: str, version: int = 0) -> Template | None:
        rows = TEMPLATES.c
        query = sa.select(TEMPLATES).where(rows.tenant == tenant, rows.id == template_id)
        if version:
            query = query.where(rows.version == version)
        return await self._one(query.order_by(rows.version.desc()).limit(1))

    @override
    async def list(self, tenant: str, page: Page) -> tuple[tuple[Template, ...], bool]:
        rows = TEMPLATES.c
        newest = (
            sa.select(rows.id, sa.func.max(rows.version).label("version"))
            .where(rows.tenant == tenant, rows.id > page.after)
            .group_by(rows.id)
            .order_by(rows.id)
            .limit(page.size + 1)
            .subquery()
        )
        query = (
            sa.select(TEMPLATES)
            .join(newest, (rows.id == newest.c.id) & (rows.version == newest.c.version))
            .where(rows.tenant == tenant)
            .order_by(rows.id)
        )
        async with self._database.read() as connection:
            found = [_template(row) for row in (await connection.execute(query)).mappings()]
        return tuple(found[: page.size]), len(found) > page.size

    async def _by_request(self, template: Template) -> Template | None:
        if not template.request_id:
            return None
        rows = TEMPLATES.c
        query = sa.select(TEMPLATES).where(
            rows.tenant == template.tenant, rows.request_id == template.request_id
        )
        return await self._one(query)

    async def _one(self, query: sa.Select[Any]) -> Template | None:
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return _template(row) if row else None


def _row(template: Template) -> dict[str, Any]:
    return {
        "tenant": template.tenant,
        "id": template.id,
        "version": template.version,
        "display_name": template.content.display_name,
        "body": template.content.body,
        "defaults": asdict(template.content.defaults),
        "create_time": round(template.create_time.timestamp() * _MICROS),
        "request_id": template.request_id or None,
    }


def _template(row: Any) -> Template:
    defaults = dict(row["defaults"])
    for name in ("characters", "landscapes"):
        defaults[name] = tuple(defaults[name])
    return Template(
        id=row["id"],
        tenant=row["tenant"],
        version=row["version"],
        content=TemplateContent(
            display_name=row["display_name"],
            body=row["body"],
            defaults=VideoParameters(**defaults),
        ),
        create_time=datetime.fromtimestamp(row["create_time"] / _MICROS, UTC),
        request_id=row["request_id"] or "",
    )
