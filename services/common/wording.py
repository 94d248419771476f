"""Lengths of prompts, as vendors count them."""


def units(text: str) -> int:
    """Length as the strictest vendors count it: UTF-16 units, two for an emoji."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, room: int) -> str:
    """The beginning of a text that has room, ended between two words where that costs little."""
    kept = text.encode("utf-16-le", "surrogatepass")[: room * 2].decode("utf-16-le", "ignore")
    border = max(kept.rfind(" "), kept.rfind("\n"))
    return kept[:border] if len(kept) < len(text) and border > room // 2 else kept
