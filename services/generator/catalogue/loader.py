"""Reads the catalogue's files into plain domain objects."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from services.generator.catalogue.rows import FileRow, ModelRow, PriceListRow, PriceRow
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.durations import Durations
from services.generator.domain.models import (
    ANY,
    BatchDiscount,
    Inputs,
    Latency,
    Licence,
    Model,
    Price,
    PriceTier,
    Rule,
)

HERE = Path(__file__).parent


def load_catalogue(prices: str = "live", folder: Path = HERE) -> Catalogue:
    """Return the catalogue of `folder` with a price list: "live", "seed-2025" or a file of yours.

    What such a file (its name ends with ".yaml") does not name keeps its price. It is read once.
    Raises ValueError, naming the file and the field, when a row does not hold together.
    """
    return _catalogue(prices, folder)


@cache
def _catalogue(prices: str, folder: Path) -> Catalogue:
    models = _models(folder)
    if prices == "live":
        return Catalogue(models)
    own = prices.endswith(".yaml")
    listed = _price_list(Path(prices) if own else folder / "prices" / f"{prices}.yaml")
    unknown = listed.keys() - {model.id for model in models}
    if unknown:
        message = f"price list {prices} names unknown models: {sorted(unknown)}"
        raise ValueError(message)
    return Catalogue(replace(model, price=listed.get(model.id, model.price)) for model in models)


@cache
def _models(folder: Path) -> tuple[Model, ...]:
    return tuple(_model(row) for path in sorted(folder.glob("*.yaml")) for row in _rows(path))


def _rows(path: Path) -> Iterator[ModelRow]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        yield from FileRow.model_validate(content).rows()
    except ValidationError as error:
        message = f"{path.name}: {error}"
        raise ValueError(message) from error


def _price_list(path: Path) -> dict[str, Price]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        rows = PriceListRow.model_validate(content).rows()
    except ValidationError as error:
        message = f"{path.name}: {error}"
        raise ValueError(message) from error
    return {name: _price(row) for name, row in rows.items()}


def _price(row: PriceRow) -> Price:
    flat = () if row.amount_micros is None else (PriceTier(row.amount_micros),)
    tiers = tuple(PriceTier(tier.amount_micros, tier.when) for tier in row.tiers)
    return Price(
        kind=row.kind,
        tiers=flat or tiers,
        unit_seconds=row.unit_seconds,
        as_of=row.as_of,
        source=row.source,
        note=row.note,
        batches=tuple(BatchDiscount(each.at_least, each.percent) for each in row.batches),
    )


_NESTED = {"inputs", "durations", "rules", "price", "licence", "latency"}


def _model(row: ModelRow) -> Model:
    plain = {name: getattr(row, name) for name in ModelRow.model_fields if name not in _NESTED}
    if ANY in row.languages:
        plain["languages"] = ()
    durations = row.durations
    return Model(
        **plain,
        inputs=Inputs(**row.inputs.model_dump()),
        durations=Durations() if durations is None else Durations(**durations.model_dump()),
        rules=tuple(Rule(**rule.model_dump()) for rule in row.rules),
        price=_price(row.price),
        licence=Licence(**row.licence.model_dump()),
        latency=Latency(**row.latency.model_dump()),
    )
