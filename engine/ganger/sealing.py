"""Encrypted arguments: sealed by the producer, opened by the worker, unreadable in between.

    @job(encrypt=True)
    def pay(card: str, amount: int) -> None: ...

What is sealed is args, kwargs and the type's name, so that a sealed body can't be given to another type. Keys
have ids; the first one seals, all of them open. They come from GANGER_ENCRYPTION_KEYS or a function of the
application's own. The client calls `sealed_body`, the worker `open_body`. Nobody's error text ever holds
a key or an argument, also where that makes it less helpful. The only door to the package cryptography.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import msgspec

from ganger.clock import monotonic_s
from ganger.errors import BadArguments, BadSettings, CantDecrypt, NotConfigured
from ganger.job import Body
from ganger.options import Options

VARIABLE = "GANGER_ENCRYPTION_KEYS"
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}\Z")
_FORM = f"the form is {VARIABLE}=id:key,id:key, a key being 32 random bytes in URL-safe base64"
_ASK_AGAIN_S = 10.0


class Keyring:
    """Keys by id. Raises NotConfigured for a text without any, BadSettings for one that can't be read."""

    def __init__(self, text: str) -> None:
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        if not entries:
            raise NotConfigured(f"Arguments are to be encrypted, but there is no key: {_FORM}.")
        fernet = _library().Fernet
        self._keys: dict[str, Any] = {}
        for number, entry in enumerate(entries, start=1):
            id, found, key = entry.partition(":")
            if not found or not _KEY_ID.match(id):
                raise BadSettings(f"Encryption key number {number} has no id that can be read: {_FORM}.")
            if id in self._keys:
                raise BadSettings(f"There are two encryption keys of the id {id}; give one another id.")
            try:
                self._keys[id] = fernet(key.encode())
            except ValueError:
                raise BadSettings(f"The encryption key of the id {id} can't be used: {_FORM}.") from None
        self.first = next(iter(self._keys))

    def __contains__(self, id: str) -> bool:
        return id in self._keys

    def seal(self, type: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """`<key id>:<token>`. Raises BadArguments for what JSON can't hold."""
        try:
            clear = msgspec.json.encode((type, args, kwargs))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise BadArguments(f"the arguments can't be written as JSON: {error}.") from None
        token: bytes = self._keys[self.first].encrypt(clear)
        return f"{self.first}:{token.decode()}"

    def open(self, type: str, sealed: str) -> tuple[list[Any], dict[str, Any]]:
        """Args and kwargs. Raises CantDecrypt."""
        id, _, token = sealed.partition(":")
        if id not in self._keys:
            raise CantDecrypt(
                f"The arguments are encrypted with key {key_id(sealed)!r}, which is not among this process's"
                f" keys ({', '.join(self._keys)}); add it behind the first one in {VARIABLE}."
            )
        try:
            found = _opened.decode(self._keys[id].decrypt(token.encode()))
        except (_library().InvalidToken, msgspec.DecodeError, UnicodeEncodeError):
            raise CantDecrypt(
                f"The arguments were not encrypted with the key that is called {id!r} here, or were changed."
            ) from None
        if found[0] != type:
            raise CantDecrypt(f"The arguments were encrypted for another job type than {type}.")
        return found[1], found[2]


_opened: msgspec.json.Decoder[tuple[str, list[Any], dict[str, Any]]] = msgspec.json.Decoder(
    tuple[str, list[Any], dict[str, Any]]
)


def _from_environment() -> str:
    return os.environ.get(VARIABLE, "")


_keys: Callable[[], str] = _from_environment
_all_types = False
_ring: Keyring | None = None
_asked_at_s = 0.0


def encrypt_arguments(*, keys: Callable[[], str] | None = None, all_types: bool = False) -> None:
    """Where keys come from, and whether every type's arguments are encrypted, not only those of jobs with
    `encrypt=True`. `keys` answers a text as in GANGER_ENCRYPTION_KEYS: called at the first use, and again,
    at most every ten seconds, when a job names a key that it did not have. Call it where jobs are pushed and
    where they run."""
    global _keys, _all_types, _ring
    _keys = _from_environment if keys is None else keys
    _all_types = all_types
    _ring = None


def seals(options: Options) -> bool:
    """Whether arguments of a type with these options are to be encrypted."""
    return _all_types or options.encrypt


def quiet(type: str, options: Options) -> AbstractContextManager[None]:
    """`discreet` where arguments are encrypted."""
    return discreet(type) if seals(options) else nullcontext()


def sealed_body(type: str, body: Body) -> Body:
    """The body with its arguments encrypted. Raises BadArguments, NotConfigured, BadSettings."""
    ring = _keyring()
    with discreet(type):
        sealed = ring.seal(type, body.args, body.kwargs)
    return msgspec.structs.replace(body, args=[], kwargs={}, sealed=sealed)


def open_body(type: str, body: Body) -> Body:
    """The body with its arguments in clear; one that is not sealed as it is. Raises CantDecrypt,
    NotConfigured, BadSettings."""
    if not body.sealed:
        return body
    args, kwargs = _keyring(key_id(body.sealed)).open(type, body.sealed)
    return msgspec.structs.replace(body, args=args, kwargs=kwargs, sealed="")


def check_keys() -> None:
    """Raises what keeps this process from encrypting: NotConfigured, BadSettings."""
    _keyring()


def key_id(sealed: str) -> str:
    """The id of the key that a sealed body names; it may show anywhere."""
    id = sealed.partition(":")[0]
    return id if _KEY_ID.match(id) else "?"


@contextmanager
def discreet(type: str) -> Iterator[None]:
    """BadArguments in here say nothing of the arguments."""
    try:
        yield
    except BadArguments:
        raise BadArguments(
            f"{type}: the arguments don't fit the handler, or JSON can't hold them. Which ones is not shown:"
            " they are encrypted. Push them unencrypted in development to see it."
        ) from None


def _keyring(wanted: str | None = None) -> Keyring:
    """The keys; asked for anew when the wanted one is not among them."""
    global _ring, _asked_at_s
    ring = _ring
    if ring is None or (
        wanted is not None and wanted not in ring and monotonic_s() > _asked_at_s + _ASK_AGAIN_S
    ):
        _asked_at_s = monotonic_s()
        _ring = ring = Keyring(_keys())
    return ring


def _library() -> Any:
    """cryptography, imported by whoever encrypts and nobody else. Raises BadSettings where it is missing."""
    try:
        from cryptography import fernet
    except ImportError:
        raise BadSettings(
            "Encrypted arguments need the package cryptography: pip install 'ganger[encryption]'."
        ) from None
    return fernet
