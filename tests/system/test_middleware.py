"""Middleware and once() with a whole host: registered by the app, in force in every worker."""

from support import wrapped_app as app
from support.scene import Scene


def test_middleware_and_context_reach_jobs_of_jobs_and_a_dead_holder_s_block_is_taken_over(
    scene: Scene,
) -> None:
    scene.gang(app="support.wrapped_app")
    scene.push(app.pushes, "charge:42", headers={"request_id": "r-1"})
    scene.await_all_done()
    lines = scene.journal.lines()
    assert [(line["name"][-7:], line["request"]) for line in lines if line["what"] == "before"] == [
        (".pushes", "r-1"),
        ("charges", "r-1"),
        ("charges", "r-1"),
    ]
    assert len([line for line in lines if line["what"] == "after"]) == 2, "one worker was killed inside"
    charged = [(line["number"], line["interrupted"]) for line in lines if line["what"] == "charged"]
    assert charged == [(1, False), (2, True)]
    assert [line["result"] for line in lines if line["what"] == "result"] == ["receipt"]
    again = scene.push(app.charges, "charge:42")
    scene.await_end(again)
    assert [line["result"] for line in scene.journal.lines() if line["what"] == "result"] == ["receipt"] * 2
    assert len([line for line in scene.journal.lines() if line["what"] == "charged"]) == 2
