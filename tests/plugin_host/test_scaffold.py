"""A new plugin is whole from the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openprod.errors import InputError
from openprod.plugin_host.lint import lint
from openprod.plugin_host.scaffold import scaffold

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["props", "prop_list", "a1"])
def test_its_own_test_passes_and_nothing_is_to_be_advised(tmp_path: Path, name: str) -> None:
    folder = scaffold(name, tmp_path)
    report = lint(folder)
    assert (report.problems, report.advice) == ([], [])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_its_test_can_fail(tmp_path: Path) -> None:
    folder = scaffold("props", tmp_path)
    sheet = folder / "jobs" / "sheet.py"
    sheet.write_text(sheet.read_text().replace('"title": "title"', '"title": "owner"'))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ["core", "Props", "prop-list", "../props", "", "a" * 64, "2nd"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="can't be a plugin's name"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "props").mkdir()
    with pytest.raises(InputError, match="exists already"):
        scaffold("props", tmp_path)
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists already"):
        scaffold("lost", tmp_path)
