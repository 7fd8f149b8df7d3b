"""The coordinator's pulse: only a stamp that stands still while we watch is a sign of death."""

from gangerd.master.watch import Watch

S = 1_000_000_000


def test_a_moving_stamp_is_alive_however_old_its_value() -> None:
    watch = Watch(stale_s=5)
    watch.begin(0, 100 * S)
    for second in range(100, 200, 4):
        assert not watch.stale(second, second * S)


def test_a_stamp_that_stands_still_is_stale_after_the_bound() -> None:
    watch = Watch(stale_s=5)
    watch.begin(7, 100 * S)
    assert not watch.stale(7, 105 * S)
    assert watch.stale(7, 105 * S + 1)


def test_time_in_which_the_watcher_was_away_does_not_count() -> None:
    watch = Watch(stale_s=5)
    watch.begin(7, 100 * S)
    watch.moved(60 * S)
    assert not watch.stale(7, 161 * S)


def test_a_new_process_gets_the_whole_time() -> None:
    watch = Watch(stale_s=5)
    watch.begin(7, 100 * S)
    watch.begin(7, 104 * S)
    assert not watch.stale(7, 108 * S)
