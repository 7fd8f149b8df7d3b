"""asyncio from end to end: a coroutine pushes and follows, workers run coroutines, and those push again."""

import asyncio

from ganger import AsyncClient
from support import incident_app as app
from support.checker import counters_balance
from support.scene import Scene


def test_coroutines_on_both_ends(host_scene: Scene) -> None:
    scene = host_scene

    async def main() -> list[int]:
        async with AsyncClient(client=scene.client) as client:
            pushing = app.fans_out.options(jid=await client.reserve(app.fans_out.name))
            jids = {await pushing.apush_with(client, 20) for _ in range(3)}
            assert len(jids) == 1, "pushed three times, it is one job"
            children = await client.result(jids.pop(), wait=20)
            return list(await asyncio.gather(*(client.result(jid, wait=20) for jid in children)))

    assert sorted(asyncio.run(main())) == [2 * number for number in range(20)]
    scene.await_all_done()
    assert scene.totals()["succeeded"] == 21
    counters_balance(scene)
