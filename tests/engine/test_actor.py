"""@job: names, options and the manifest."""

import json
from datetime import timedelta
from typing import Any

import pytest

from ganger import actor, job, options
from ganger.current import NoJob, current, enter, leave
from ganger.errors import BadHandler, BadName, BadOptions
from ganger.push_options import push_options
from ganger.retry import Policy


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor, "_registry", {})


def plain(to: str, subject: str = "hi") -> str:
    return f"{to}: {subject}"


def test_a_job_is_still_its_function() -> None:
    made = job(plain)
    assert made("a", subject="b") == "a: b"
    assert made.name == f"{__name__}.plain"
    assert actor.registered() == {made.name: made}
    assert not made.is_async


def test_the_manifest_is_json_and_makes_a_policy() -> None:
    made = job(
        name="shop.send", queue="mail", retry=2, backoff=[1, 5], timeout=30, discard_on=KeyError, dead=True
    )(plain)
    entry = json.loads(json.dumps(actor.manifest()))["types"]["shop.send"]
    assert (entry["queue"], entry["priority"], entry["memory"]) == ("mail", 5, None)
    policy = Policy.from_manifest(entry)
    assert policy == made.policy
    assert policy == Policy(
        retry=2, backoff=(1.0, 5.0), timeout=30.0, discard_on=("builtins.KeyError",), dead=True
    )


@pytest.mark.parametrize(
    ("backoff", "wanted"),
    [
        (3, (3.0,)),
        ([1, 2.5], (1.0, 2.5)),
        (lambda n: n * 10, (10.0, 20.0, 30.0)),
        ("exponential", (2.0, 4.0, 8.0)),
        (None, None),
    ],
)
def test_backoffs_are_worked_out_beforehand(backoff: Any, wanted: Any) -> None:
    assert job(retry=3, backoff=backoff)(plain).defaults.backoff == wanted


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"retri": 1}, "retri"),
        ({"unique_until": "start"}, "needs unique_for"),
        ({"unique_key": "a"}, "needs unique_for"),
        ({"unique_for": 0}, "unique_for"),
        ({"unique_for": 5, "unique_until": "end"}, "unique_until"),
        ({"unique_for": 5, "unique_key": "b"}, "names 'b'"),
        ({"unique_for": 5, "unique_key": []}, "unique_key"),
        ({"unique_for": 5, "on_conflict": "drop"}, "on_conflict"),
        ({"track": 0}, "track must be seconds"),
        ({"retry": -1}, "retry"),
        ({"retry": 1.5}, "retry"),
        ({"retry": True}, "retry"),
        ({"priority": 0}, "priority"),
        ({"priority": 10}, "priority"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"grace": -1}, "grace"),
        ({"expires_in": 0}, "expires_in"),
        ({"dead": "yes"}, "dead"),
        ({"crash_limit": 0}, "crash_limit"),
        ({"memory": "plenty"}, "memory"),
        ({"backoff": "linear"}, "exponential"),
        ({"backoff": []}, "empty"),
        ({"backoff": [1, "x"]}, "backoff"),
        ({"retry_on": 5}, "retry_on"),
        ({"retries": 5}, "did you mean retry"),
        ({"params": ("a",)}, "unknown option 'params'"),
        ({"wibble": 5}, "name, queue, .*, cron, tz"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], word: str) -> None:
    with pytest.raises(BadOptions, match=word):
        job(**options)(plain)


def test_bad_names_and_handlers_are_refused() -> None:
    with pytest.raises(BadName):
        job(name="with {braces}")(plain)
    with pytest.raises(BadName):
        job(queue="{q}")(plain)
    with pytest.raises(BadHandler):
        job(lambda: None)


def test_a_type_has_one_function() -> None:
    job(name="one")(plain)
    job(name="one")(plain)  # the module was imported again

    def other() -> None: ...

    with pytest.raises(BadOptions, match="defined twice"):
        job(name="one")(other)


def test_the_current_job_is_there_while_it_runs() -> None:
    with pytest.raises(NoJob):
        current()
    enter("j", 2, "shop.send", "mail", {"tenant": "7"})
    try:
        assert (current().jid, current().attempt) == ("j", 2)
        current().progress(40, "halfway")
        current().checkpoint(1)
        assert current().last_checkpoint is None, "there is no worker to tell it to"
    finally:
        leave()
    with pytest.raises(NoJob):
        current()


def test_times_may_be_timedeltas_and_sizes_text() -> None:
    made = options.make(
        {"timeout": timedelta(minutes=2), "memory": "512M", "backoff": [timedelta(seconds=3)]}
    )
    assert (made.timeout, made.memory, made.backoff) == (120.0, 512 << 20, (3.0,))
    assert push_options({"delay": timedelta(seconds=5)}).due() == (5000, None)
    assert push_options({"delay": 0}).due() == (None, None)
    assert push_options({"at": 5}).due() == (None, 5000), "an instant that is past means now"


@pytest.mark.parametrize(
    "given",
    [
        {"priority": 99},
        {"retry": -1},
        {"delay": "soon"},
        {"delay": -5},
        {"delay": 1, "at": 2},
        {"timeout": 0},
    ],
)
def test_a_bad_option_of_a_push_is_told_where_it_is_given(given: dict[str, object]) -> None:
    with pytest.raises(BadOptions):
        push_options(given)
