"""Everything that the service knows from its packs."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.prompt.domain.culture import Pack, Preset
from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.messages import Messages
from services.prompt.domain.names import NameBook
from services.prompt.domain.translation import WordList


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """Read once at start; never changes."""

    lexicons: Mapping[str, Lexicon]
    names: NameBook
    messages: Messages
    packs: Mapping[str, Pack]
    presets: Mapping[str, Preset]
    word_lists: tuple[WordList, ...]

    def preset(self, name: str) -> Preset | None:
        """A preset by its id; "" is none.

        Raises:
            InvalidArgument: no pack has it.
        """
        if not name:
            return None
        if name not in self.presets:
            raise InvalidArgument("preset", f"{name!r} is not known", allowed=sorted(self.presets))
        return self.presets[name]

    def check_packs(self, names: tuple[str, ...]) -> None:
        """Refuses a pack that is not installed."""
        for name in names:
            if name not in self.packs:
                raise InvalidArgument("packs", f"{name!r} is not known", allowed=sorted(self.packs))

    def word_list(self, source: str, targets: tuple[str, ...]) -> WordList | None:
        """A list from a language (mixed text counts as any) to one of the targets."""
        fitting = (w for w in self.word_lists if w.target in targets)
        return next((w for w in fitting if source in {w.source, "mul"}), None)
