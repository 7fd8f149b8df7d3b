"""One command for one slot: what operations hand to the transport (cluster.py re-exports it)."""

from dataclasses import dataclass

Word = bytes | str | int | float


@dataclass(slots=True, eq=False)
class Command:
    """Words for the node that holds `slot`. Treat it as immutable (frozen would double its cost)."""

    slot: int
    words: tuple[Word, ...]
    fallback: tuple[bytes, bytes] | None = None
    """What replaces the first two words when the server answers NOSCRIPT: (EVAL, the script's source)."""
    name: str = ""
    """What errors call it; empty means the first word. Arguments never show: they may be private."""

    def title(self) -> str:
        """How an error text names this command."""
        if self.name:
            return f"script {self.name}"
        word = self.words[0]
        return word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)

    def with_fallback(self) -> "Command":
        """The same command with the script's source in place of its digest."""
        if self.fallback is None:
            return self
        return Command(self.slot, self.fallback + self.words[2:], None, self.name)
