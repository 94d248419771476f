"""Runs the benchmarks that are named, or all: `python -m benchmarks accept watchers`.

Exits with 1 and names the figures that miss their marks.
"""

import sys

from benchmarks import (
    cache,
    composition,
    encoding,
    films,
    finding,
    generator,
    idle,
    jobs,
    network,
    storage,
)
from benchmarks.table import Row, markdown

BENCHMARKS = {
    "accept": lambda: jobs.run(jobs.accept),
    "cached": lambda: jobs.run(jobs.cached, **jobs.CACHING),
    "stored": lambda: jobs.run(jobs.stored),
    "cancel": lambda: jobs.run(jobs.cancelled),
    "watchers": lambda: jobs.run(jobs.watchers),
    "waiting": lambda: jobs.run(jobs.waiting),
    "idle": idle.idle,
    "takeover": idle.takeover,
    "generator": generator.rows,
    "storage": storage.rows,
    "finding": finding.rows,
    "composition": composition.rows,
    "encoding": encoding.rows,
    "films": films.rows,
    "cache": cache.rows,
    "network": network.rows,
}


def main(names: list[str]) -> int:
    """Print the table of each benchmark as it ends, and all of them together; 1 for a miss."""
    rows: list[Row] = []
    for name in names or list(BENCHMARKS):
        print(f"… {name}", file=sys.stderr, flush=True)
        found = BENCHMARKS[name]()
        print(markdown(found), file=sys.stderr, flush=True)
        rows += found
    print(markdown(rows))
    missed = [row for row in rows if row.missed]
    for row in missed:
        print(f"missed: {row.name.strip()}: {row.value}, not {row.against}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
