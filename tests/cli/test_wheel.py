"""The wheel, as somebody installs it who has no checkout: it holds the page and the plugins, and serves them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from tests.cli.program import ROOT, SECONDS_MAX

PAGE = ROOT / "client" / "dist"


def call(*arguments: str | Path, folder: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, arguments)), cwd=folder, env=env, capture_output=True, check=False, encoding="utf-8",
        timeout=SECONDS_MAX, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.page
@pytest.mark.skipif(
    not (PAGE / "index.html").is_file() and "CI" not in os.environ, reason="the page isn't built: make page"
)
def test_the_demo_of_the_wheel_answers_with_the_page(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT, folder=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    fresh = tmp_path / "fresh"
    call(sys.executable, "-m", "venv", "--without-pip", fresh, folder=tmp_path)
    programs = fresh / ("Scripts" if os.name == "nt" else "bin")
    call(*pip, "--python", programs / "python", "install", "--no-deps", wheel, folder=tmp_path)
    # The packages it needs are those of this environment; a .pth file's own .pth files don't count, so the checkout,
    # installed there as editable, isn't among them.
    purelib = Path(
        call(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path)
    )
    (purelib / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"OPENPROD_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    where = call(programs / "python", "-c", "import openprod; print(openprod.__file__)", folder=tmp_path, env=env)
    assert Path(where).is_relative_to(fresh.resolve()) or Path(where).is_relative_to(fresh)

    demo = subprocess.Popen(
        [str(programs / "openprod"), "demo", "--dir", "hamlet", "--port", "0", "--no-browser"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        said = ""
        url = None
        while url is None and (line := demo.stdout.readline()):
            said += line
            url = re.match(r"listening on (http://\S+)", line)
        assert url is not None, said
        with httpx.Client(base_url=url[1], timeout=SECONDS_MAX, trust_env=False) as http:
            page = http.get("/")
            assert page.status_code == 200
            assets = re.findall(r"(?:src|href)=\"(/assets/[^\"]+)\"", page.text)
            assert assets, "the page itself, not a word that it isn't there"
            for asset in assets:
                answer = http.get(asset)
                assert answer.status_code == 200
                assert answer.content == (PAGE / asset.removeprefix("/")).read_bytes()
    finally:
        demo.terminate()
        demo.communicate(timeout=SECONDS_MAX)
    plugins = call(programs / "openprod", "plugin", "list", "hamlet", folder=tmp_path, env=env)
    assert {"cues", "script"} <= set(plugins.split()), plugins
