"""The servers of the simulation answer as the scripts do: the same random calls to both."""

import random

from ganger.throttle.quorum import Ask
from support.permit_world import ModelServer
from support.throttles import RUN, TOKENS, ThrottleServers, acquire, expire, release, renew, seats, trust

FAR_MS = 10_000_000.0


def test_model_and_scripts_agree(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    for seed in range(20):
        rng = random.Random(seed)
        server.client.flushall()
        trust(server, RUN)
        model = ModelServer(60_000, since_ms=-FAR_MS)
        cap = rng.choice((0, 0, 2))
        run, young = RUN, False
        for step in range(60):
            token = rng.choice(TOKENS[:4])
            names = [token] if cap else rng.sample(["0", "1", "2"], rng.randint(1, 3))
            match rng.randrange(9):
                case 0 | 1 | 2:
                    said = acquire(server, token, *names, cap=cap, run=run)
                    ask = Ask(0, "acquire", token, tuple(names), cap, 0)
                case 3 | 4:
                    names = names[:1]
                    said = renew(server, token, names[0], cap=cap, run=run)
                    ask = Ask(0, "renew", token, tuple(names), cap, 0)
                case 5 | 6:
                    names = [rng.choice(["", names[0]])]
                    said = release(server, token, names[0])
                    ask = Ask(0, "release", token, tuple(names), cap, 0)
                case 7 if model.taken:
                    seat = rng.choice(sorted(model.taken))
                    expire(server, seat)
                    model.taken[seat] = (model.taken[seat][0], -1.0)
                    continue
                case _ if rng.random() < 0.2:
                    run, young = f"{rng.getrandbits(160):040x}", not young
                    if not young:
                        trust(server, run)
                    model.restart(0.0 if young else -FAR_MS, set(model.taken))
                    continue
                case _:
                    continue
            answer = model.hear(ask, 0.0)
            if ask.verb != "release":  # of a seat whose time is over either word is right
                assert said[0].decode() == answer.word, (seed, step, ask)
            if answer.word == "granted":
                assert said[1].decode() == answer.seat
            if answer.word == "full":
                assert {seat.decode() for seat in said[2:]} == answer.taken
            held = {seat: token for seat, (token, until) in model.taken.items() if until > 0}
            assert {seat: token for seat, token in seats(server).items() if seat in held} == held
