"""What a failed test shows: enough to read at the end of a build's output, the whole in a file."""

import re
from collections.abc import Generator, Sequence
from typing import Any

import pytest

LINES = 60
WIDTH = 500
FOLDER = "build/failures"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Cut what a failed test wrote, and what its error says, to the last lines of each.

    First of all and so last in turn: what other hooks add is cut as well.
    """
    report = yield
    if report.failed and any(_is_long(text) for text in _texts(report).values()):
        file = item.config.rootpath / FOLDER / _file_name(report)
        file.parent.mkdir(parents=True, exist_ok=True)
        parts = (f"===== {title}\n{text}" for title, text in _texts(report).items())
        file.write_text("\n".join(parts))
        _cut(report, f"... the whole is in {FOLDER}/{file.name}")
    return report


def _texts(report: pytest.TestReport) -> dict[str, str]:
    return {"error": report.longreprtext, **dict(report.sections)}


def _is_long(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) > LINES or any(len(line) > WIDTH for line in lines)


def _file_name(report: pytest.TestReport) -> str:
    return f"{re.sub(r'[^a-zA-Z0-9.]+', '-', report.nodeid)[-150:]}.{report.when}.log"


def _cut(report: pytest.TestReport, note: str) -> None:
    report.sections = [
        (title, "\n".join(_last(text.splitlines(), note))) for title, text in report.sections
    ]
    error: Any = report.longrepr
    for traceback, place, _ in getattr(error, "chain", ()):
        for entry in traceback.reprentries:
            # First the lines of the test, last what the error says.
            entry.lines = [*entry.lines[:LINES], *_last(entry.lines[LINES:], f"E   {note}")]
        if place is not None:
            place.message = place.message[:WIDTH]


def _last(lines: Sequence[str], note: str) -> list[str]:
    kept = [line[:WIDTH] for line in lines[-LINES:]]
    return kept if kept == list(lines) else [note, *kept]
