"""RESP as bytes on a wire: where a message ends, what a request says, and the addresses in a reply exchanged.

Pure, no I/O. For fault_proxy.py, which passes messages on as they are and must know where each ends.
"""

from collections.abc import Mapping

Tree = bytes | list["Tree"]
"""A reply: a leaf as its bytes on the wire, an array as a list. A null array is a leaf."""

_LINES = b"+-:_#,("
_BULKS = b"$!="
_ARRAYS = b"*~>%"


class NotResp(Exception):
    """These bytes begin no message."""


def end_of(data: bytes | bytearray, at: int = 0) -> int | None:
    """Where the message ends that begins at `at`; None when it has not come in full. Raises NotResp."""
    left = 1
    while left:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        kind, count = data[at : at + 1], data[at + 1 : line_end]
        at = line_end + 2
        left -= 1
        if kind in _LINES:
            continue
        if kind in _BULKS:
            if int(count) >= 0:
                at += int(count) + 2
        elif kind in _ARRAYS:
            left += max(int(count), 0) * (2 if kind == b"%" else 1)
        else:
            raise NotResp(f"{bytes(kind)!r} begins no message")
    return at if at <= len(data) else None


def words(request: bytes | bytearray) -> list[bytes]:
    """The words of a whole request."""
    tree = read(request)
    if not isinstance(tree, list):
        raise NotResp("a request is an array")
    return [text_of(word) for word in tree]


def read(message: bytes | bytearray) -> Tree:
    """A whole message."""
    tree, _ = _read(bytes(message), 0)
    return tree


def written(tree: Tree) -> bytes:
    """The message again; maps have become arrays."""
    if isinstance(tree, bytes):
        return tree
    return b"*%d\r\n" % len(tree) + b"".join(written(branch) for branch in tree)


def text_of(leaf: Tree) -> bytes:
    """What a leaf says; empty for a null."""
    if not isinstance(leaf, bytes):
        raise NotResp("an array is no text")
    line, _, rest = leaf.partition(b"\r\n")
    return rest[:-2] if leaf[:1] in _BULKS else line[1:]


def readdressed(reply: bytes, ports: Mapping[int, int]) -> bytes:
    """A reply to CLUSTER SLOTS or CLUSTER SHARDS with other ports in place of these."""
    return written(_readdressed(read(reply), ports))


def redirected(reply: bytes, ports: Mapping[int, int]) -> bytes:
    """An error that sends the caller elsewhere (MOVED, ASK), with another port; any other reply as it is."""
    if not reply.startswith((b"-MOVED ", b"-ASK ")):
        return reply
    place, _, port = reply[:-2].rpartition(b":")
    return b"%s:%d\r\n" % (place, ports.get(int(port), int(port)))


def _read(data: bytes, at: int) -> tuple[Tree, int]:
    kind = data[at : at + 1]
    if kind in _ARRAYS:
        line_end = data.index(b"\r\n", at)
        count = int(data[at + 1 : line_end])
        if count >= 0:
            branches: list[Tree] = []
            at = line_end + 2
            for _ in range(count * (2 if kind == b"%" else 1)):
                branch, at = _read(data, at)
                branches.append(branch)
            return branches, at
    end = end_of(data, at)
    if end is None:
        raise NotResp("the message is not whole")
    return data[at:end], end


def _readdressed(tree: Tree, ports: Mapping[int, int]) -> Tree:
    """A port follows a host (SLOTS: host, port, id) or the word port (SHARDS); slot numbers do neither."""
    if isinstance(tree, bytes):
        return tree
    found: list[Tree] = []
    for place, branch in enumerate(tree):
        if isinstance(branch, bytes) and branch[:1] == b":" and place and _is_text(tree[place - 1]):
            port = int(text_of(branch))
            found.append(b":%d\r\n" % ports.get(port, port))
        else:
            found.append(_readdressed(branch, ports))
    return found


def _is_text(tree: Tree) -> bool:
    return isinstance(tree, bytes) and tree[:1] in b"$+"
