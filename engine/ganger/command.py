"""One command for one slot: what operations hand to the transport (cluster.py re-exports it)."""

from dataclasses import dataclass

Word = bytes | str | int | float
_READS = frozenset(
    {
        "EXISTS",
        "GET",
        "HEXISTS",
        "HGET",
        "HGETALL",
        "HLEN",
        "HMGET",
        "INFO",
        "TIME",
        "XLEN",
        "XPENDING",
        "XRANGE",
    }
    | {"ZLEXCOUNT", "ZRANGE", "ZREVRANGE", "ZSCORE"}
)


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

    def only_reads(self) -> bool:
        """Whether nothing changes by it: then nobody need ask whether it ran."""
        if not self.name:
            return self.title() in _READS
        source = self.fallback[1] if self.fallback else self.words[1]
        return isinstance(source, bytes) and b"no-writes" in source.partition(b"\n")[0]

    def with_fallback(self) -> "Command":
        """The same command with the script's source in place of its digest."""
        if self.fallback is None:
            return self
        return Command(self.slot, self.fallback + self.words[2:], None, self.name)
