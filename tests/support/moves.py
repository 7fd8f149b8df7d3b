"""Every script call an operation can make of a partition, for the tests that concern all of them."""

from ganger.calls import open_command
from ganger.command import Command
from ganger.jid import mint
from ganger.job import Entry, State
from ganger.operations import claim, enqueue, failing, kept, look, recover, schedule, settle, upkeep
from ganger.operations.enqueue import NewJob
from ganger.operations.kept import Shelf
from support.keyspace import HOST, MAIL, WORKER


def commands() -> dict[str, Command]:
    """By the script's name; none of them finds anything in an empty partition."""
    jobs = [NewJob(jid, "shop.send", b"{}") for jid in mint("mail", 3, 2)]
    entry = Entry(MAIL, 5, b"1-1", jobs[0].jid, "shop.send", State(), b"")
    made = [
        open_command(MAIL),
        claim.command(MAIL, HOST, WORKER, 1, 1000, 64, 1 << 20, {}),
        claim.renew_command(MAIL, HOST, {0: [b"1-1"], 5: [b"1-1"]}),
        settle.command(MAIL, "succeeded", {0: [b"1-1"], 5: [b"1-1"]}),
        failing.retry_command(entry, HOST, 1000, State(attempts=1)),
        failing.bury_command(entry, HOST, State(attempts=1)),
        failing.discard_command(entry, HOST, State(attempts=1)),
        recover.leases_command(MAIL, 0),
        schedule.promote_command(MAIL),
        look.look_command(MAIL),
        look.peek_command(MAIL),
        look.sample_command(MAIL),
        look.ahead_command(MAIL, 5, b"1-1", 5),
        kept.list_command(MAIL, Shelf.DEAD),
        upkeep.trim_command(MAIL, 10_000, 1000),
        schedule.hasten_command(MAIL, ["j" * 29]),
        enqueue.push_command(MAIL, 5, jobs[:1]),
        enqueue.schedule_command(MAIL, 5, jobs[1:], delay_ms=60_000),
    ]
    return {command.name: command for command in made}


def declared(command: Command) -> list[bytes]:
    """The keys that a script call declares."""
    count = int(command.words[2])
    return [key for key in command.words[3 : 3 + count] if isinstance(key, bytes)]
