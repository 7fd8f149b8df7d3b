"""When a place may be filled again, in instants that nobody waits for."""

from gangerd.master.restarts import ROLE_PACE, SECOND, WORKER_PACE, Restarts

MS = 1_000_000


def quick(spawns_a_second: int = 1000, intensity: int = 1000) -> Restarts:
    return Restarts(spawns_a_second, intensity)


def test_a_place_that_never_failed_is_filled_at_once() -> None:
    restarts = quick()
    assert restarts.due_ns("worker 0", 5 * SECOND) <= 5 * SECOND


def test_each_death_outside_a_job_doubles_the_pause_up_to_the_bound() -> None:
    restarts, now_ns, pauses = quick(), 0, []
    for _ in range(12):
        restarts.died("worker 0", WORKER_PACE, 0, now_ns)
        due_ns = restarts.due_ns("worker 0", now_ns)
        pauses.append((due_ns - now_ns) // MS)
        now_ns = due_ns
    assert pauses[:5] == [100, 200, 400, 800, 1600]
    assert pauses[-1] == WORKER_PACE.bound_ms
    assert pauses == sorted(pauses)


def test_a_slot_pauses_for_its_own_deaths_only() -> None:
    restarts = quick()
    restarts.died("worker 0", WORKER_PACE, 0, 0)
    assert restarts.due_ns("worker 0", 0) > 0
    assert restarts.due_ns("worker 1", 0) == 0


def test_a_long_life_is_forgiven() -> None:
    restarts = quick()
    for _ in range(8):
        restarts.died("worker 0", WORKER_PACE, 0, 0)
    restarts.died("worker 0", WORKER_PACE, 11 * SECOND, 100 * SECOND)
    assert restarts.due_ns("worker 0", 100 * SECOND) == 100 * SECOND + WORKER_PACE.first_ms * MS


def test_a_role_never_pauses_longer_than_a_second() -> None:
    restarts = quick()
    for _ in range(50):
        restarts.died("coordinator", ROLE_PACE, 0, 0)
    assert restarts.due_ns("coordinator", 0) == SECOND


def test_many_deaths_on_many_slots_slow_the_whole_host_to_one_a_second() -> None:
    restarts = quick(intensity=10)
    for slot in range(11):
        restarts.died(f"worker {slot}", WORKER_PACE, 0, slot * MS)
    now_ns = 200 * MS
    assert restarts.held_back(now_ns)
    assert restarts.due_ns("worker 3", now_ns) == 10 * MS + SECOND
    assert restarts.due_ns("worker 99", now_ns) <= now_ns, "a slot that never failed is no part of it"
    assert not restarts.held_back(now_ns + 11 * SECOND)


def test_the_hosts_cap_on_spawns_holds_for_everybody() -> None:
    restarts = quick(spawns_a_second=3)
    for slot in range(3):
        assert restarts.due_ns(f"worker {slot}", slot * MS) <= slot * MS
        restarts.spawned(f"worker {slot}", slot * MS)
    assert restarts.due_ns("worker 3", 3 * MS) == SECOND
    assert restarts.due_ns("worker 3", SECOND) <= SECOND


def test_what_is_replaced_in_order_is_no_restart() -> None:
    restarts = quick()
    restarts.spawned("worker 0", 0)
    restarts.renewed("worker 0")
    restarts.spawned("worker 0", 0)
    assert restarts.total == 0
    restarts.spawned("worker 0", 0)
    assert restarts.total == 1


def test_only_a_second_life_counts_as_a_restart() -> None:
    restarts = quick()
    for place in ("worker 0", "worker 1", "worker 0"):
        restarts.spawned(place, 0)
    assert restarts.total == 1
