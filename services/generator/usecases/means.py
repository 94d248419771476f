"""What every drive works with."""

from dataclasses import dataclass, field

from services.generator.domain.catalogue import Catalogue
from services.generator.domain.ports import Backends
from services.generator.domain.steps import Faults
from services.generator.usecases.halting import Halting
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Books
from services.generator.usecases.sending import Sending
from services.generator.usecases.storing import Storing
from services.generator.usecases.turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every drive works with."""

    books: Books
    catalogue: Catalogue
    backends: Backends
    sending: Sending
    storing: Storing
    faults: Faults
    halting: Halting
    turns: Turns = field(default_factory=Turns)
    patience: Patience = field(default_factory=Patience)
