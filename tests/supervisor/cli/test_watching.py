"""`ganger status --watch`: a picture a second, at a terminal and at a pipe, and how it ends."""

import signal

from gangerd.cli.watching import Rates
from support.command import running
from support.shop import Shop

INTO_THE_PICTURE, OUT_OF_IT = "\x1b[?1049h", "\x1b[?1049l"


def test_rates_are_what_moved_between_two_looks() -> None:
    rates = Rates()
    assert rates.of({"mail": {"succeeded": 10}}, 5.0) == {}
    found = rates.of({"mail": {"succeeded": 30, "failed": 1}, "new": {}}, 7.0)
    assert found["mail"] == {"enqueued": 0, "succeeded": 10, "failed": 0.5}
    assert found["new"] == {"enqueued": 0, "succeeded": 0, "failed": 0}
    assert rates.of({"mail": {"succeeded": 3}}, 8.0)["mail"]["succeeded"] == 0


def test_at_a_pipe_one_picture_comes_below_the_other(shop: Shop) -> None:
    shop.push(3)
    with running("status", "--watch", cwd=shop.cwd, env=shop.env) as process:
        assert process.stdout is not None
        seen = ""
        while seen.count("Ctrl-C leaves") < 2:
            seen += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, "")
    assert "nobody leads" in seen
    assert "Waiting for a worker that knows them" in seen + rest
    assert "\x1b" not in seen + rest


def test_at_a_terminal_the_picture_stays_in_place_and_goes_at_the_end(shop: Shop) -> None:
    shop.push(3)
    code, told = shop.at_terminal(
        "status", "--watch", term="xterm", stop_when=lambda told: told.count("Ctrl-C leaves") > 1
    )
    assert code == 0
    assert told.count(INTO_THE_PICTURE) == told.count(OUT_OF_IT) == 1
    assert "Traceback" not in told


def test_a_terminal_that_can_do_nothing_is_like_a_pipe(shop: Shop) -> None:
    code, told = shop.at_terminal(
        "status", "--watch", term="dumb", stop_when=lambda told: told.count("Ctrl-C leaves") > 1
    )
    assert (code, "\x1b" in told) == (0, False)
    assert shop.refused("status", "--watch", "--json")[0] == 2
