"""Which jobs are the same: the digest of a unique job's queue, type and chosen arguments. Pure.

Arguments count by their parameters' names, so it makes no difference whether one was given by place or by
name; a default that was left out is not filled in. The names come from the handler, or from the manifest for
whoever pushes by name alone.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ganger.errors import BadOptions
from ganger.options import BY_FUNCTION, Options

_functions: dict[str, Callable[..., Any]] = {}
_encode = msgspec.json.Encoder(order="deterministic").encode


def use_function(type: str, function: Callable[..., Any]) -> None:
    """This function works out the key of the type's jobs, from their arguments; actor.py calls."""
    _functions[type] = function


def digest(queue: str, type: str, options: Options, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """24 hexadecimal digits, the same for the same job on every host. Raises BadOptions when the key can't be
    had: a function that this process does not have, or one that answers what JSON can't hold."""
    if options.unique_key == (BY_FUNCTION,):
        function = _functions.get(type)
        if function is None:
            raise BadOptions(
                f"job type {type!r} has a function as unique_key: push it from code that defines the type."
            )
        key = function(*args, **kwargs)
    else:
        key = _named(options.params, args, kwargs)
        if options.unique_key is not None:
            key = {name: key.get(name) for name in options.unique_key}
    try:
        text = _encode([queue, type, key])
    except (TypeError, ValueError) as error:
        raise BadOptions(f"unique_key of job type {type!r} gave what JSON can't hold: {error}.") from None
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def partition_index(digest: str, count: int) -> int:
    """The partition in which lock and job lie."""
    return int(digest[:8], 16) % count


def _named(params: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name; those beyond the parameters under `*`."""
    named: dict[str, Any] = dict(zip(params, args, strict=False))
    if len(args) > len(params):
        named["*"] = list(args[len(params) :])
    return named | dict(kwargs)
