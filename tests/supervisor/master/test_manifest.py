"""What a successor knows of its predecessor's app before its own import is done."""

from pathlib import Path

from gangerd.linux.shared_memory import read_all
from gangerd.master import manifest

OLD, NEW = b'{"types": {"a": {}}}', b'{"types": {"b": {}}}'


def test_a_first_manifest_replaces_nobody_s(tmp_path: Path) -> None:
    fd = manifest.create(tmp_path, recall=True)
    assert read_all(fd) == b""
    assert not manifest.renew(fd, tmp_path, OLD)
    assert read_all(fd) == OLD


def test_a_successor_with_work_left_to_do_begins_with_the_old_one(tmp_path: Path) -> None:
    manifest.renew(manifest.create(tmp_path, recall=False), tmp_path, OLD)
    fd = manifest.create(tmp_path, recall=True)
    assert read_all(fd) == OLD
    assert not manifest.renew(fd, tmp_path, OLD), "the app is the same: nobody need read again"
    assert manifest.renew(fd, tmp_path, NEW), "whoever read the old one must be replaced"
    assert read_all(manifest.create(tmp_path, recall=True)) == NEW


def test_without_work_left_the_template_is_waited_for(tmp_path: Path) -> None:
    manifest.renew(manifest.create(tmp_path, recall=False), tmp_path, OLD)
    assert read_all(manifest.create(tmp_path, recall=False)) == b""


def test_a_copy_that_can_not_be_kept_stops_nothing(tmp_path: Path) -> None:
    fd = manifest.create(tmp_path, recall=False)
    assert not manifest.renew(fd, tmp_path / "gone", OLD)
    assert read_all(fd) == OLD
