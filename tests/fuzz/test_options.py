"""Whatever an application says of its jobs: checked options, or a named error."""

from datetime import timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ganger.arguments import Signature
from ganger.cron.entry import Cron, check, of_job
from ganger.errors import GangerError
from ganger.keys import BatchKeys, OnceMark, check_limit, check_queue, check_type
from ganger.options import Options, make, size
from ganger.push_options import push_options
from ganger.throttle.shares import parse_rate, shares
from support.fuzzing import anything, digits, fuzz, huge, texts, values


def _handler(to: str, subject: int = 1) -> None: ...


cron_fields = st.dictionaries(st.sampled_from([*Cron.__struct_fields__, "type"]), values, max_size=6)


@fuzz(80)
@given(table=cron_fields)
def test_a_cron_table(table: dict[str, Any]) -> None:
    entry, mistakes = check(table, Options(), Signature(_handler))
    assert (entry is None) == bool(mistakes)


@fuzz(80)
@given(
    cron=st.one_of(
        values,
        cron_fields.map(
            lambda table: Cron(**{"cron": "* * * * *", **{k: v for k, v in table.items() if k != "type"}})
        ),
    ),
    tz=values,
)
def test_the_cron_of_a_job(cron: Any, tz: Any) -> None:
    try:
        of_job(cron, tz, "shop.send", Options(), Signature(_handler))
    except GangerError as error:
        assert str(error)


option_values = st.one_of(
    values, st.timedeltas(), st.datetimes(), st.lists(values, max_size=3), st.just(_handler)
)


@fuzz(120)
@given(
    given=st.dictionaries(st.sampled_from([*Options.__struct_fields__, "wrong"]), option_values, max_size=4)
)
@example(given={"memory": f"{digits}K"})
def test_options_of_a_type(given: dict[str, Any]) -> None:
    try:
        make(given)
    except GangerError as error:
        assert str(error)


push_names = (
    "queue",
    "priority",
    "delay",
    "at",
    "retry",
    "timeout",
    "expires_in",
    "headers",
    "unique_for",
    "on_conflict",
    "jid",
    "track",
    "wrong",
)


@fuzz(120)
@given(given=st.dictionaries(st.sampled_from(push_names), option_values, max_size=3))
@example(given={"delay": timedelta.max})
@example(given={"track": 10**400})
def test_options_of_a_push(given: dict[str, Any]) -> None:
    try:
        push_options(given).due()
    except GangerError as error:
        assert str(error)


@fuzz(120)
@given(
    text=st.one_of(texts("0123456789/. msh"), anything),
    burst=st.one_of(st.none(), anything),
    servers=st.integers(1, 5),
)
@example(text=f"{digits}/s", burst=None, servers=1)
@example(text=f"1/{huge}d", burst=None, servers=1)
@example(text="1/s", burst=[], servers=3)
def test_a_rate(text: Any, burst: Any, servers: int) -> None:
    try:
        rate = parse_rate(text, burst)
        assert 0 < sum(one.count for one in shares(rate, servers, 0).values()) <= rate.count
    except GangerError as error:
        assert str(error)


@fuzz(100)
@given(name=anything)
def test_names(name: Any) -> None:
    for rule in (
        check_queue,
        check_type,
        check_limit,
        lambda one: BatchKeys("ganger", one),
        lambda one: OnceMark("ganger", one),
    ):
        try:
            rule(name)
        except GangerError as error:
            assert str(error)
    size(name)
