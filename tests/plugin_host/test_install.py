"""A person's own plugins: copied safely, swapped whole, found by the same loader."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from openprod.errors import Busy, InputError, InvalidManifest, LimitExceeded, NotFound
from openprod.plugin_api import Snapshot
from openprod.plugin_host import install as installing
from openprod.plugin_host.importing import plan_import
from openprod.plugin_host.install import install, uninstall
from openprod.plugin_host.registry import Registry, shipped_folder
from tests.plugin_host.folders import JOB, PLUGIN, MakePlugin


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / "plugins"


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir() if path.name != ".lock")


def test_a_copy_is_made_and_found_beside_the_shipped_ones(make_plugin: MakePlugin, home: Path) -> None:
    folder = make_plugin("somewhere", files={"README.md": "Things"})
    for left in (".git", "__pycache__", "jobs/__pycache__", ".venv"):
        (folder / left).mkdir()
        (folder / left / "sheet.pyc").write_bytes(b"old")
    done = install(folder, home)
    assert (done.manifest.name, done.manifest.folder, done.replaced) == ("things", home / "things", "")
    assert names(home) == ["things"]
    kept = sorted(path.relative_to(home / "things").as_posix() for path in (home / "things").rglob("*"))
    assert kept == ["README.md", "jobs", "jobs/keys.py", "jobs/sheet.py", "plugin.toml", "schema.toml"]
    shutil.rmtree(folder)
    registry = Registry.load(home)
    assert registry.is_own(registry.plugin("things"))
    assert not registry.is_own(registry.plugin("cues"))
    assert registry.importer("things.csv")[1].plugin == "things"


def test_installing_again_takes_the_earlier_one_s_place_and_its_code_is_used_at_once(
    make_plugin: MakePlugin, home: Path
) -> None:
    folder = make_plugin()
    install(folder, home)

    def number() -> object:
        manifest, importer = Registry.load(home).importer("things.csv")
        [operation] = plan_import(manifest, importer, b"1,LX\n", Snapshot("ws")).operations
        return operation.facets["things.thing"]["number"]  # type: ignore[union-attr]

    assert number() == "1"
    (folder / "jobs" / "old.py").write_text("")
    install(folder, home)
    (folder / "jobs" / "old.py").unlink()
    (folder / "plugin.toml").write_text(PLUGIN.replace("1.2.0", "1.3.0"))
    (folder / "jobs" / "sheet.py").write_text(JOB.replace('"number": row.cell(0)', '"number": row.cell(0) + "0"'))
    done = install(folder, home)
    assert (done.manifest.version, done.replaced) == ("1.3.0", "1.2.0")
    assert number() == "10"
    assert not (home / "things" / "jobs" / "old.py").exists()
    assert names(home) == ["things"]


def test_the_installed_folder_itself_can_be_installed(make_plugin: MakePlugin, home: Path) -> None:
    install(make_plugin(), home)
    assert install(home / "things", home).replaced == "1.2.0"
    assert Registry.load(home).plugin("things").version == "1.2.0"


def test_a_shipped_one_can_be_replaced_for_oneself_and_comes_back(home: Path) -> None:
    install(shipped_folder() / "cues", home)
    assert Registry.load(home).is_own(Registry.load(home).plugin("cues"))
    uninstall("cues", home)
    assert not Registry.load(home).is_own(Registry.load(home).plugin("cues"))
    with pytest.raises(NotFound, match="installed for you"):
        uninstall("cues", home)


@pytest.mark.parametrize("name", ["../plugins", "..", ".", "/", "", "nothing", ".lock"])
def test_only_an_own_plugin_is_removed(make_plugin: MakePlugin, home: Path, name: str) -> None:
    install(make_plugin(), home)
    with pytest.raises(NotFound) as refused:
        uninstall(name, home)
    assert "things" in refused.value.hint
    assert names(home) == ["things"]


def test_one_that_cannot_be_used_can_be_removed(make_plugin: MakePlugin, home: Path) -> None:
    install(make_plugin(), home)
    (home / "things" / "plugin.toml").write_text("name =")
    assert uninstall("things", home) == "a version that can't be read"
    assert names(home) == []


def test_one_that_is_developed_elsewhere_is_let_go_of(make_plugin: MakePlugin, home: Path) -> None:
    folder = make_plugin()
    home.mkdir(parents=True)
    (home / "things").symlink_to(folder)
    assert Registry.load(home).plugin("things").version == "1.2.0"
    uninstall("things", home)
    assert (folder / "plugin.toml").is_file()
    (home / "things").symlink_to(folder)
    assert install(folder, home).replaced == "1.2.0"
    assert not (home / "things").is_symlink()
    assert (folder / "plugin.toml").is_file()


def _refused(folder: Path, home: Path, error: type[Exception], words: str) -> None:
    install_before = names(home) if home.is_dir() else []
    with pytest.raises(error, match=words):
        install(folder, home)
    assert (names(home) if home.is_dir() else []) == install_before


def test_links_and_strange_files_are_refused(make_plugin: MakePlugin, home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private")
    for number, target in enumerate([secret, Path("plugin.toml"), tmp_path, tmp_path / "missing"]):
        folder = make_plugin(f"link_{number}")
        (folder / "jobs" / "link.py").symlink_to(target)
        _refused(folder, home, InputError, "is a link")
    folder = make_plugin("pipe")
    os.mkfifo(folder / "pipe")
    _refused(folder, home, InputError, "no ordinary file")
    folder = make_plugin("odd")
    (folder / "odd\nname").write_text("")
    _refused(folder, home, InputError, "can't be shown")


def test_sizes_are_bounded(make_plugin: MakePlugin, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_plugin("deep")
    (folder / "/".join(["d"] * 40)).mkdir(parents=True)
    _refused(folder, home, LimitExceeded, "nested")
    monkeypatch.setattr(installing, "FILE_BYTES_MAX", 5_000)
    folder = make_plugin("large")
    (folder / "data.bin").write_bytes(b"x" * 5_001)
    _refused(folder, home, LimitExceeded, "larger than")
    monkeypatch.setattr(installing, "BYTES_MAX", 9_000)
    for number in range(3):
        (folder / "data.bin").unlink(missing_ok=True)
        (folder / f"data{number}.bin").write_bytes(b"x" * 4_000)
    _refused(folder, home, LimitExceeded, "larger than")
    monkeypatch.setattr(installing, "FILES_MAX", 5)
    folder = make_plugin("many")
    for number in range(5):
        (folder / f"file{number}").write_text("")
    _refused(folder, home, LimitExceeded, "more than 5 files")


def test_what_the_linter_refuses_leaves_the_earlier_one(make_plugin: MakePlugin, home: Path) -> None:
    folder = make_plugin()
    install(folder, home)
    (folder / "jobs" / "sheet.py").write_text("def plan(:\n")
    _refused(folder, home, InvalidManifest, "isn't Python")
    (folder / "jobs" / "sheet.py").write_text("from openprod.engine.workspace import Workspace\n\ndef plan(): ...\n")
    _refused(folder, home, InvalidManifest, "can't rely on openprod.engine")
    assert Registry.load(home).plugin("things").version == "1.2.0"


def test_there_must_be_a_folder(home: Path, tmp_path: Path) -> None:
    _refused(tmp_path / "nothing", home, InputError, "isn't a folder")
    (tmp_path / "empty").mkdir()
    _refused(tmp_path / "empty", home, InvalidManifest, "is missing")


def test_a_swap_that_was_cut_short_is_put_right(make_plugin: MakePlugin, home: Path) -> None:
    """As after a crash between the two renames: the earlier version is used again."""
    install(make_plugin(), home)
    (home / ".going-1").mkdir()
    (home / "things").rename(home / ".going-1" / "things")
    (home / ".coming-2" / "things").mkdir(parents=True)
    assert Registry.load(home).plugin("things").version == "1.2.0"
    assert names(home) == ["things"]


def test_while_another_process_swaps_nobody_puts_right(make_plugin: MakePlugin, home: Path) -> None:
    install(make_plugin(), home)
    (home / ".going-1").mkdir()
    (home / "things").rename(home / ".going-1" / "things")
    with FileLock(home / ".lock"):
        assert "things" not in Registry.load(home).plugins
        assert names(home) == [".going-1"]
    assert "things" in Registry.load(home).plugins


def test_two_at_once_take_turns(make_plugin: MakePlugin, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "WAIT_S", 0)
    install(make_plugin(), home)
    with FileLock(home / ".lock"), pytest.raises(Busy, match="Another command"):
        install(make_plugin("again"), home)
