"""Numbers of the rows of SQLite's full-text index, in the order of the ids of assets.

FTS5 reads what it finds by these numbers, in either direction, and stops where it is told to. So a
page of the newest costs what is on it, not what else has the same words.
"""

from __future__ import annotations

from bisect import bisect_right

# An id is a ULID: ten digits of base 32 say in which millisecond it was made, the rest is chance.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_OF_TIME = 10
# Rows that there are for one millisecond, in which one process makes a few, and a test a hundred.
ROWS = 4096
_LAST = 2**63 - 1


def rows_of(asset_id: str) -> dict[str, int]:
    """Return the first and the last row that an asset of the id's millisecond may have.

    Which of them it gets is the order in which they are stored. What is no ULID, in a token that
    somebody made up, has its rows as well.
    """
    moment = 0
    for digit in asset_id[:_OF_TIME].ljust(_OF_TIME, _DIGITS[0]):
        moment = moment * len(_DIGITS) + max(0, bisect_right(_DIGITS, digit) - 1)
    return {"first_row": moment * ROWS, "last_row": moment * ROWS + ROWS - 1}


def newest_rows(before: str, limit: int) -> dict[str, int]:
    """Return as parameters where ``limit`` assets before that id are, "" for the newest of all.

    In the millisecond of ``before`` some are not older, so all of it is looked at, and what is in
    it is not counted.
    """
    found = rows_of(before) if before else {"first_row": _LAST, "last_row": _LAST}
    return {
        "last_row": found["last_row"],
        "counted_row": found["first_row"] - 1,
        "but_one": limit - 1,
        "rows": ROWS,
    }
