"""Middleware and once() with a whole host: registered by the app, in force in every worker."""

from ganger import encrypt_arguments
from support import wrapped_app as app
from support.keyspace import snapshot
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


def test_encrypted_arguments_show_in_the_handler_and_nowhere_else(scene: Scene) -> None:
    secret = "4111222233334444"
    encrypt_arguments(keys=lambda: app.KEYS)
    try:
        jids = scene.push_many(app.pays, [(secret,), (int(secret),)])
        scheduled = scene.push(app.pays, secret, delay=3600)
        refused = scene.client.push("support.wrapped_app.pays", [secret, secret])
    finally:
        encrypt_arguments()
    assert secret.encode() not in repr(snapshot(scene.servers)).encode()
    gang = scene.gang(app="support.wrapped_app")
    for jid in jids:
        scene.await_end(jid)
    scene.await_dead(refused)
    assert [line["number"] for line in scene.journal.lines() if line["what"] == "paid"] == [444, 444]
    assert secret.encode() not in repr(snapshot(scene.servers)).encode()
    assert secret not in gang.log_file.read_text()
    assert "they are encrypted" in gang.log_file.read_text(), "the refused one is told without its arguments"
    shown = scene.job(scheduled)
    assert shown is not None
    assert (shown["args"], shown["encrypted"]) == (None, "test")
