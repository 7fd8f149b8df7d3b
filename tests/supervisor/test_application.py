"""Importing apps, good and bad, each in an interpreter of its own: the sentence is what the operator sees."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, sys
from gangerd import application
try:
    print(json.dumps({"manifest": application.load(sys.argv[1], forking=True)}))
except application.AppFailed as failure:
    print(json.dumps({"error": str(failure), "exit_code": failure.exit_code}))
"""
GOOD = "from ganger import job\n@job(queue='mail')\ndef send(to): ...\n"


def load(root: Path, app: str, **modules: str) -> dict[str, Any]:
    for name, source in modules.items():
        (root / f"{name}.py").write_text(source)
    ran = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, app], cwd=root, capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def error(root: Path, app: str, **modules: str) -> str:
    found = load(root, app, **modules)
    assert found["exit_code"] == 78
    text: str = found["error"]
    assert "\n" not in text and "Traceback" not in text
    return text


@pytest.mark.parametrize("app", ["shop", "shop:send"])
def test_a_good_app_gives_its_manifest(tmp_path: Path, app: str) -> None:
    assert list(load(tmp_path, app, shop=GOOD)["manifest"]["types"]) == ["shop.send"]


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    assert error(tmp_path, "shop").startswith("there is no module 'shop' to import")


def test_a_module_that_needs_what_is_not_there(tmp_path: Path) -> None:
    text = error(tmp_path, "shop", shop="import nosuchthing\n")
    assert "ModuleNotFoundError: No module named 'nosuchthing'" in text and "shop.py, line 1" in text


def test_an_attribute_that_is_not_there(tmp_path: Path) -> None:
    assert error(tmp_path, "shop:app", shop=GOOD) == "the module 'shop' has no 'app'"


def test_a_syntax_error_with_its_line(tmp_path: Path) -> None:
    text = error(tmp_path, "shop", shop="x = 1\ndef :\n")
    assert "invalid syntax" in text and "shop.py, line 2" in text


def test_an_exception_with_the_apps_own_line(tmp_path: Path) -> None:
    text = error(tmp_path, "shop", shop="import json\njson.loads('{')\n")
    assert "JSONDecodeError" in text and "importing 'shop' failed" in text


def test_an_app_that_exits(tmp_path: Path) -> None:
    assert "SystemExit: 3" in error(tmp_path, "shop", shop="raise SystemExit(3)\n")


def test_a_bad_handler_is_named_where_the_app_defines_it(tmp_path: Path) -> None:
    text = error(tmp_path, "shop", shop="from ganger import job\nclass A: ...\n\n\nA = job()(A)\n")
    assert "BadHandler" in text and "shop.py, line 5" in text


def test_an_app_without_a_job(tmp_path: Path) -> None:
    assert "defines no job" in error(tmp_path, "shop", shop="x = 1\n")


def test_a_thread_begun_at_import_is_refused_and_its_import_named(tmp_path: Path) -> None:
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    text = error(tmp_path, "shop", tracer=thread, shop="import tracer\n" + GOOD)
    assert "1 thread running (by the import of tracer)" in text and "preload = false" in text


def test_a_thread_that_its_library_ends_at_a_fork_is_nobodys_business(tmp_path: Path) -> None:
    """What OpenBLAS does under numpy, which many apps import."""
    pool = """
import os, threading
stop = threading.Event()
worker = threading.Thread(target=stop.wait, daemon=True)
worker.start()
os.register_at_fork(before=lambda: (stop.set(), worker.join()))
"""
    assert "manifest" in load(tmp_path, "shop", pool=pool, shop="import pool\n" + GOOD)


def test_a_stream_socket_left_open_at_import_is_refused_and_its_import_named(tmp_path: Path) -> None:
    listener = "import socket\nkept = socket.create_server(('127.0.0.1', 0))\n"
    text = error(tmp_path, "shop", database=listener, shop="import database\n" + GOOD)
    assert "1 stream socket open (by the import of database)" in text


def test_a_socket_that_is_closed_again_is_nobodys_business(tmp_path: Path) -> None:
    shop = "import socket\nsocket.create_server(('127.0.0.1', 0)).close()\n" + GOOD
    assert "manifest" in load(tmp_path, "shop", shop=shop)
