"""The reload, done: what generations.py says is to happen next, and what it wants to know, found out.

HUP is remembered by orders.py; here it is begun when the tree serves. Settings are read again and compared, a
second template imports the app beside the first, its first worker is the canary. Until that has passed
everything is taken back at the first trouble. From the commit on rolling.py has the old ones leave. The loop
calls `turn` each time round; nothing waits."""

import os
from collections.abc import Callable

from gangerd import log
from gangerd.errors import GangerdError
from gangerd.linux import headroom
from gangerd.linux.proc import Usage
from gangerd.master import births, changes, herald, rolling
from gangerd.master.actions import step_child
from gangerd.master.cast import TEMPLATE
from gangerd.master.children import Child
from gangerd.master.ending import RELEASED
from gangerd.master.generations import Action, Canary, Event, Phase, judge
from gangerd.master.incoming import Incoming, Outcome
from gangerd.master.lifecycle import ChildEvent, ChildState, System
from gangerd.master.restarts import SECOND
from gangerd.master.tree import Tree
from gangerd.recorder import COUNTERS_AT, Counter
from gangerd.recorder import Phase as Shown

_log = log.get()


def turn(tree: Tree, now_ns: int) -> None:
    """Bring the reload forward, as far as it goes now."""
    if tree.system is not System.SERVING:
        if tree.generations.phase is not Phase.RESTING:
            _step(tree, Event.ENDING, now_ns, "the service is being stopped")
        return
    while True:
        event, reason = _LOOKS[tree.generations.phase](tree, now_ns)
        if event is None:
            break
        _step(tree, event, now_ns, reason)
        if tree.generations.phase is Phase.RESTING:
            break  # what else was asked for is begun the next time round
    rolling.turn(tree, now_ns)


def _step(tree: Tree, event: Event, now_ns: int, reason: str = "") -> None:
    for action in tree.generations.step(event):
        if action is Action.GIVE_UP:
            _give_up(tree, reason, now_ns)
        else:
            _ACTIONS[action](tree, now_ns)


# what each phase waits for


def _resting(tree: Tree, now_ns: int) -> tuple[Event | None, str]:
    return (Event.BEGIN if tree.generations.wanted else None), ""


def _checking(tree: Tree, now_ns: int) -> tuple[Event | None, str]:
    reason = tree.outcome.error
    return (Event.FAILED, reason) if reason else (Event.CHECKED, "")


def _importing(tree: Tree, now_ns: int) -> tuple[Event | None, str]:
    incoming = _incoming(tree)
    template = incoming.template
    if template is None or template.state in (ChildState.GONE, ChildState.DOOMED):
        return Event.FAILED, template.reason if template is not None else "there is no template"
    if incoming.manifest is None:
        return None, ""
    if incoming.edition != tree.edition:
        return Event.FAILED, "another version of ganger is installed now: restart the service instead"
    return Event.IMPORTED, ""


def _canary(tree: Tree, now_ns: int) -> tuple[Event | None, str]:
    incoming = _incoming(tree)
    template = incoming.template
    if template is None or template.state is not ChildState.SERVING:
        return Event.FAILED, f"its template ended: {template.reason if template is not None else ''}"
    bound_s = births.birth_s(tree, trial=True) + tree.timing.canary_s
    if incoming.canary is None and not _bear(tree, incoming, template, now_ns):
        if now_ns - incoming.since_ns >= bound_s * SECOND:
            return Event.FAILED, "there was no free seat for its first worker"
        return None, ""
    canary = incoming.canary
    assert canary is not None
    if canary.state is ChildState.STANDBY:
        step_child(tree, canary, ChildEvent.CALLED, now_ns)
    return judge(_seen(tree, incoming, canary, now_ns), tree.timing.canary_idle_s, bound_s)


def _rolling(tree: Tree, now_ns: int) -> tuple[Event | None, str]:
    if rolling.settled(tree, now_ns):
        return Event.SETTLED, ""
    reason = rolling.hopeless(tree, now_ns)
    return (Event.FAILED if reason else None), reason


_LOOKS: dict[Phase, Callable[[Tree, int], tuple[Event | None, str]]] = {
    Phase.RESTING: _resting,
    Phase.CHECKING: _checking,
    Phase.IMPORTING: _importing,
    Phase.CANARY: _canary,
    Phase.ROLLING: _rolling,
}


def _incoming(tree: Tree) -> Incoming:
    assert tree.incoming is not None, "there is one from CHECKING to CANARY"
    return tree.incoming


def _bear(tree: Tree, incoming: Incoming, template: Child, now_ns: int) -> bool:
    """Where every seat is taken the one who stands by makes room for it."""
    incoming.canary = births.bear_canary(tree, template, now_ns)
    if incoming.canary is None:
        workers = tree.children.workers()
        for child in [child for child in workers if child.state is ChildState.STANDBY][:1]:
            step_child(tree, child, ChildEvent.RETIRE, now_ns)
    return incoming.canary is not None


def _seen(tree: Tree, incoming: Incoming, canary: Child, now_ns: int) -> Canary:
    page, worked = tree.seat(canary).page, False
    if canary.state is ChildState.SERVING and page.incarnation == canary.incarnation:
        worked = page.phase == Shown.RUNNING or page.words[COUNTERS_AT + Counter.STARTED] > 0
        if page.phase == Shown.IDLE and incoming.idle_ns is None:
            incoming.idle_ns = now_ns
    return Canary(
        canary.state,
        worked,
        idle_for_s=None if incoming.idle_ns is None else (now_ns - incoming.idle_ns) / SECOND,
        age_s=(now_ns - incoming.since_ns) / SECOND,
        died_in_job=canary.died_in_job,
        reason=canary.reason,
    )


# what is done


def _check(tree: Tree, now_ns: int) -> None:
    """Read the settings, compare them, look for room. The reason against it, if any, is the outcome's error.

    Reading is two small local files, like the status file: not worth a process of its own."""
    number = tree.generations.newest
    tree.outcome = Outcome("under way", number, began_ns=now_ns, at_ms=tree.wall_ms())
    tree.notifier.reloading()
    _log.info(log.RELOAD_BEGUN, generation=number)
    try:
        config = tree.reread() if tree.reread is not None else tree.config
    except GangerdError as error:
        tree.outcome.error = "; ".join(str(error).splitlines())
        return
    except OSError as error:
        tree.outcome.error = f"{error.filename or 'the settings'}: {error.strerror or error}"
        return
    except Exception as error:  # whatever is wrong with them, the old generation serves on
        _log.exception(log.INTERNAL_ERROR, where="reading the settings again")
        tree.outcome.error = f"the settings can't be read: {error}"
        return
    mistakes = changes.refused(tree.config, config, len(tree.recorder.seats))
    if not mistakes and not (config.run_dir / tree.recorder.path.name).exists():
        mistakes = [f"{config.run_dir} is another directory now: restart the service instead"]
    tree.outcome.error = "; ".join(mistakes) or room(tree)
    if not tree.outcome.error:
        tree.incoming = Incoming(number, config, config.to_fd(), now_ns)


def room(tree: Tree) -> str:
    """Why a second copy of the app does not fit beside the first; "" when it does."""
    template = tree.children.role(TEMPLATE)
    need = (Usage().rss_bytes(template.pid) or 0) if template is not None else 0
    free = headroom.available_bytes()
    if free is None or free >= need:
        return ""
    return (
        f"there is not enough memory for a second copy of the app: it takes {need >> 20} MB and"
        f" {free >> 20} MB are free; restart the service instead"
    )


def _import(tree: Tree, now_ns: int) -> None:
    births.start_template(tree, _incoming(tree), now_ns)


def _begin_canary(tree: Tree, now_ns: int) -> None:
    _incoming(tree).since_ns = now_ns


def _commit(tree: Tree, now_ns: int) -> None:
    incoming, tree.incoming = _incoming(tree), None
    rolling.commit(tree, incoming, now_ns)


def _finish(tree: Tree, now_ns: int) -> None:
    outcome = tree.outcome
    outcome.lingering = len(tree.outdated())
    _end(tree, "done", now_ns)
    tree.notifier.status(herald.line(tree, now_ns))
    tree.notifier.ready()
    _log.info(
        log.RELOAD_DONE,
        generation=outcome.generation,
        took_ms=outcome.took_ms,
        lingering=outcome.lingering,
    )


def _give_up(tree: Tree, reason: str, now_ns: int) -> None:
    incoming, tree.incoming = tree.incoming, None
    if incoming is not None:
        os.close(incoming.config_fd)
        for child in (incoming.canary, incoming.template):
            if child is not None and child.state is not ChildState.GONE:
                _dismiss(tree, child, now_ns)
    tree.outcome.error = reason
    _end(tree, "failed", now_ns)
    _log.error(
        log.RELOAD_FAILED,
        generation=tree.outcome.generation,
        error=reason,
        serving=tree.generations.current,
    )
    if tree.system is System.SERVING:
        tree.notifier.status(herald.line(tree, now_ns))
        tree.notifier.ready()


def _dismiss(tree: Tree, child: Child, now_ns: int) -> None:
    if child.is_worker and child.state is ChildState.SERVING:
        tree.endings.end(child, RELEASED, now_ns)  # it may never come to a boundary
    else:
        step_child(tree, child, ChildEvent.RETIRE, now_ns)


def _end(tree: Tree, state: str, now_ns: int) -> None:
    outcome = tree.outcome
    outcome.state, outcome.at_ms = state, tree.wall_ms()
    outcome.took_ms = (now_ns - outcome.began_ns) // 1_000_000


_ACTIONS: dict[Action, Callable[[Tree, int], None]] = {
    Action.CHECK: _check,
    Action.IMPORT: _import,
    Action.BEAR_CANARY: _begin_canary,
    Action.COMMIT: _commit,
    Action.FINISH: _finish,
}
