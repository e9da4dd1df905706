"""Plugin folders made for a test."""

from pathlib import Path

import pytest

from tests.plugin_host.folders import JOB, PLUGIN, SCHEMA, MakePlugin


@pytest.fixture
def make_plugin(tmp_path: Path) -> MakePlugin:
    """Write a plugin folder; keyword arguments replace the text of its files."""

    def make(
        name: str = "things",
        *,
        plugin: str = PLUGIN,
        schema: str | None = SCHEMA,
        job: str = JOB,
        files: dict[str, str] | None = None,
    ) -> Path:
        folder = tmp_path / "plugins" / name
        (folder / "jobs").mkdir(parents=True)
        (folder / "plugin.toml").write_text(plugin, encoding="utf-8")
        if schema is not None:
            (folder / "schema.toml").write_text(schema, encoding="utf-8")
        (folder / "jobs" / "sheet.py").write_text(job, encoding="utf-8")
        (folder / "jobs" / "keys.py").write_text('KEY = "thing"\n', encoding="utf-8")
        for file, text in (files or {}).items():
            (folder / file).write_text(text, encoding="utf-8")
        return folder

    return make
