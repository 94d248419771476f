"""`python -m services.generator reconcile`: an operator settles a call whose answer was lost."""

import argparse
from collections.abc import Sequence

from services.generator.domain.generation import Generation
from services.generator.usecases.reconciliation import Reconciliation


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the operator says; prints the usage and exits when it is not understood."""
    parser = argparse.ArgumentParser(prog="python -m services.generator")
    commands = parser.add_subparsers(dest="command")
    reconcile = commands.add_parser(
        "reconcile", help="settle a generation whose outcome is unknown"
    )
    reconcile.add_argument("name", help="generations/{id}")
    found = reconcile.add_mutually_exclusive_group(required=True)
    found.add_argument("--job", default="", help="the vendor's id of the job, from its dashboard")
    found.add_argument(
        "--never-arrived", action="store_true", help="the vendor has no such job and no charge"
    )
    return parser.parse_args(arguments)


async def reconcile(reconciliation: Reconciliation, asked: argparse.Namespace) -> Generation:
    """Do what the operator says and return the generation as it is now."""
    identifier = asked.name.removeprefix("generations/")
    if asked.job:
        return await reconciliation.found(identifier, asked.job)
    return await reconciliation.never_arrived(identifier)
