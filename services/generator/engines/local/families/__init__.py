"""The families that are known, and which of them loads a checkpoint."""

from services.common.errors import InvalidArgument
from services.generator.engines.local.families.ltx_video import LtxVideo
from services.generator.engines.local.family import Family
from services.generator.engines.local.probe import CheckpointFacts

FAMILIES: tuple[Family, ...] = (LtxVideo(),)


def recognise(facts: CheckpointFacts, families: tuple[Family, ...] = FAMILIES) -> Family:
    """Return the family of a checkpoint. Raises InvalidArgument naming the classes that are known.

    Some classes serve several families; the first that takes the checkpoint is it.
    """
    for family in families:
        if facts.class_name in family.classes:
            return family
    known = sorted({name for family in families for name in family.classes})
    message = f"no family loads a {facts.class_name or 'nameless class'}"
    raise InvalidArgument("checkpoint", message, allowed=known)
