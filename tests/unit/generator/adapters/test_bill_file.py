from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.common.errors import InvalidArgument
from services.generator.adapters.bill_file import read_bill
from services.generator.domain.bill import Charge

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_csv_in_dollars_and_json_in_micros_say_the_same(tmp_path: Path) -> None:
    table, listed = tmp_path / "bill.csv", tmp_path / "bill.json"
    table.write_text(
        "job_id,amount_usd,time,reference,refunded,plan\n"
        "a,0.25,2026-11-21T12:00:00Z,g1,,pro\n"
        "b,0.10,2026-11-21T12:00:00Z,,true,pro\n"
    )
    listed.write_text(
        '{"rows": [{"job_id": "a", "amount_micros": 250000, "time": "2026-11-21T12:00:00+00:00",'
        ' "idempotency_key": "g1"}, {"job_id": "b", "amount_micros": 100000, "refunded": true,'
        ' "time": "2026-11-21T12:00:00+00:00"}]}'
    )
    expected = [
        Charge(job="a", micros=250_000, time=NOON, reference="g1"),
        Charge(job="b", micros=0, time=NOON),
    ]
    assert read_bill(table) == read_bill(listed) == expected


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,0.25,yesterday", "time"),
        (",0.25,2026-11-21T12:00:00Z", "job_id"),
        ("a,,2026-11-21T12:00:00Z", "amount"),
        ("a,0.0000001,2026-11-21T12:00:00Z", "amount"),
        ("a,-1,2026-11-21T12:00:00Z", "amount"),
        ("a,1,2026-11-21T12:00:00", "time"),
    ],
)
def test_a_row_that_does_not_hold_together_is_named(tmp_path: Path, row: str, told: str) -> None:
    bill = tmp_path / "bill.csv"
    bill.write_text(f"job_id,amount_usd,time\n{row}\n")
    with pytest.raises(InvalidArgument, match=told):
        read_bill(bill)


def test_a_file_that_is_no_bill_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "bill.json"
    broken.write_text("{")
    for path in (broken, tmp_path / "missing.csv"):
        with pytest.raises(InvalidArgument, match=path.name):
            read_bill(path)
