"""A handler's arguments: checked at the push and made into the annotated types at the run.

What is not annotated must be plain JSON and costs a type look-up. What is annotated goes the way it will
go in Redis (to JSON's types and back), so that a push that passed here can't fail there. Errors name the
argument.
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ganger.errors import BadArguments, BadHandler

_SCALARS = frozenset({str, int, bool, type(None)})
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ANYTHING: tuple[Any, ...] = (inspect.Parameter.empty, Any, object)


class Signature:
    """What a handler takes. Raises BadHandler when that can't be known or checked."""

    def __init__(self, function: Callable[..., Any]) -> None:
        check_handler(function)
        self._title = getattr(function, "__qualname__", repr(function))
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self._names = [p.name for p in parameters if p.kind in _POSITIONAL]
        kinds = {p.kind for p in parameters}
        self._most = math.inf if inspect.Parameter.VAR_POSITIONAL in kinds else len(self._names)
        self._least = sum(p.kind in _POSITIONAL and p.default is p.empty for p in parameters)
        self._needs_keywords = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
        self._types = self._checked_types(function)
        self._by_place = [
            (place, name, self._types[name]) for place, name in enumerate(self._names) if name in self._types
        ]
        self._rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        self._others = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)

    def _checked_types(self, function: Callable[..., Any]) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            raise BadHandler(f"{self._title}: its annotations can't be read: {error}.") from error
        hints.pop("return", None)
        checked = {name: hint for name, hint in hints.items() if hint not in _ANYTHING}
        for name, hint in checked.items():
            try:
                kind = msgspec.inspect.type_info(hint)
            except Exception as error:
                raise BadHandler(
                    f"{self._title}: annotation of {name!r} can't be checked: {error}"
                ) from error
            if isinstance(kind, msgspec.inspect.CustomType):
                raise BadHandler(
                    f"{self._title}: argument {name!r} is annotated {hint!r}, which JSON can't carry;"
                    " use plain types, dataclasses or msgspec structs."
                )
        return checked

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that may be given by place, in order."""
        return tuple(self._names)

    def takes(self, name: str) -> bool:
        """Whether an argument may have this name."""
        return name in self._signature.parameters or self._others is not None

    def for_push(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments as plain JSON values. Raises BadArguments."""
        self._check_count(args, kwargs)
        if not self._types:
            return [plain(value, self._name(i)) for i, value in enumerate(args)], {
                name: plain(value, name) for name, value in kwargs.items()
            }
        return (
            [self._pushed(value, self._name(place)) for place, value in enumerate(args)],
            {name: self._pushed(value, name) for name, value in kwargs.items()},
        )

    def for_run(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments as the handler wants them. Raises BadArguments."""
        self._check_count(args, kwargs)
        if not self._types:
            return args, kwargs
        converted = [self._run(value, self._name(place)) for place, value in enumerate(args)]
        return converted, {name: self._run(value, name) for name, value in kwargs.items()}

    def _name(self, place: int) -> str:
        return self._names[place] if place < len(self._names) else f"{self._rest}[{place - len(self._names)}]"

    def _type(self, name: str) -> Any:
        base = name.partition("[")[0]
        if base in self._types:
            return self._types[base]
        return None if base in self._signature.parameters else self._types.get(self._others or "")

    def _check_count(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if not kwargs and not self._needs_keywords and self._least <= len(args) <= self._most:
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise BadArguments(f"{self._title}: {error}.") from None

    def _pushed(self, value: Any, name: str) -> Any:
        hint = self._type(name)
        if hint is None:
            return plain(value, name)
        if type(value) not in _SCALARS:
            try:
                value = msgspec.to_builtins(value, str_keys=True)
            except (TypeError, ValueError, RecursionError) as error:
                raise BadArguments(f"{self._title}: argument {name!r}: {error}.") from None
        self._run(value, name)
        return plain(value, name)

    def _run(self, value: Any, name: str) -> Any:
        hint = self._type(name)
        if hint is None:
            return value
        try:
            return msgspec.convert(value, hint, str_keys=True)
        except msgspec.ValidationError as error:
            raise BadArguments(f"{self._title}: argument {name!r}: {error}.") from None


def check_handler(function: Any) -> None:
    """Raises BadHandler for what can't be a job."""
    if isinstance(function, type):
        raise BadHandler(f"{function!r} is a class; a job is a function defined with def or async def.")
    if not isinstance(function, types.FunctionType):
        raise BadHandler(f"{function!r} is no function; a job is one defined with def or async def.")
    if function.__name__ == "<lambda>":
        raise BadHandler("A lambda has no name that another process could find; use def.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadHandler(f"{function.__qualname__} is a generator; a job must run to its end when called.")


def plain(value: Any, name: str) -> Any:
    """`value` when it is JSON as it stands (tuples count as lists). Raises BadArguments that names it."""
    kind = type(value)
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise BadArguments(f"argument {name!r}: {value} does not fit in 64 bits; push it as a string.")
    elif kind is float:
        if not math.isfinite(value):
            raise BadArguments(f"argument {name!r}: JSON can't hold {value}.")
    elif kind is str:
        if not value.isascii():
            _check_text(value, name)
    elif kind is list or kind is tuple or kind is dict:
        try:
            _check_within(value, name)
        except RecursionError:
            raise BadArguments(f"argument {name[:40]!r} is nested too deeply, or holds itself.") from None
    elif kind is not bool and value is not None:
        raise BadArguments(f"argument {name!r}: JSON can't hold {kind.__name__} ({value!r:.80}).")
    return value


def _check_within(value: Any, name: str) -> None:
    if type(value) is not dict:
        for place, one in enumerate(value):
            plain(one, f"{name}[{place}]")
        return
    for key, one in value.items():
        if type(key) is not str:
            raise BadArguments(f"argument {name!r}: key {key!r} is no string, which JSON can't hold.")
        plain(one, f"{name}.{key}")


def _check_text(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadArguments(f"argument {name!r}: a lone surrogate can't be sent as UTF-8.") from None
