"""Runs the benchmarks that are named, or all: `python -m benchmarks accept`."""

import sys

from benchmarks import jobs
from benchmarks.table import Row, markdown

BENCHMARKS = {
    "accept": lambda: jobs.run(jobs.accept),
    "end_to_end": lambda: jobs.run(jobs.end_to_end),
}


def main(names: list[str]) -> None:
    """Print one table."""
    rows: list[Row] = []
    for name in names or list(BENCHMARKS):
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name]()
    print(markdown(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
