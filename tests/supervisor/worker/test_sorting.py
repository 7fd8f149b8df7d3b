"""The key of a job's lane: found by name however the argument was passed, and none where there is none."""

from typing import Any

import pytest

from ganger import job
from ganger.job import Body, encode_body
from ganger.operations.lanes import key_digest, no_key
from gangerd.worker.sorting import key_of, value_at


@job(name="sorting.send")
def send(tenant: str, order: dict[str, Any] | None = None) -> None:
    pass


@pytest.mark.parametrize(
    ("path", "args", "kwargs", "value"),
    [
        ("args.tenant", ["acme"], {}, "acme"),
        ("args.tenant", [], {"tenant": "acme"}, "acme"),
        ("args.0", ["acme"], {}, "acme"),
        ("args.order.customer", ["acme", {"customer": 7}], {}, 7),
        ("args.order.lines.1", ["acme"], {"order": {"lines": [3, 4]}}, 4),
        ("args.tenant", [None], {}, None),
    ],
)
def test_where_the_value_is(path: str, args: list[Any], kwargs: dict[str, Any], value: Any) -> None:
    assert value_at(Body(args, kwargs), path, ("tenant", "order")) == value
    assert key_of("sorting.send", encode_body(Body(args, kwargs)), {"*": path}) == key_digest(path, value)


@pytest.mark.parametrize(
    ("path", "args"),
    [
        ("args.1", ["acme"]),
        ("args.tenant", []),
        ("args.nobody", ["acme"]),
        ("args.tenant.name", ["acme"]),
        ("args.order.customer", ["acme", {}]),
        ("args.order.lines.9", ["acme", {"lines": []}]),
    ],
)
def test_where_there_is_none(path: str, args: list[Any]) -> None:
    assert key_of("sorting.send", encode_body(Body(args, {})), {"sorting.send": path}) == no_key(path)


def test_the_type_s_own_path_comes_first_and_what_can_t_be_read_has_no_key() -> None:
    body = encode_body(Body(["acme", {"customer": 7}], {}))
    paths = {"*": "args.tenant", "sorting.send": "args.order.customer"}
    assert key_of("sorting.send", body, paths) == key_digest("args.order.customer", 7)
    assert key_of("sorting.send", b"nonsense", paths) == no_key("args.order.customer")
    assert key_of("sorting.send", body, {}) == ""
    assert key_of("sorting.unheard", body, {"*": "args.0"}) == key_digest("args.0", "acme")
