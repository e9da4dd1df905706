"""Documentation that is held to what it is about."""

from __future__ import annotations

import re
import shlex
from urllib.parse import unquote

import click
import pytest

from openprod.cli.main import cli
from openprod.cli.reference import reference
from tests.repo.files import ROOT, kept, text

PAGES = [path for path in kept() if path.endswith(".md")]
LINK = re.compile(r"(?<!\\)!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(openprod [^`\n]+)`")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    plain = FENCE.sub("", text(page))
    for target in LINK.findall(plain):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


def anchors(markdown: str) -> set[str]:
    """As code hosts make them of headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", FENCE.sub("", markdown), re.MULTILINE):
        kept_letters = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(kept_letters.replace(" ", "-"))
    return found


def test_the_command_reference_is_that_of_the_program() -> None:
    assert (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8") == reference(), "run `make reference`"


def commands(page: str) -> list[list[str]]:
    """Every line of a code block, and every inline code, that calls openprod."""
    lines = [
        line for kind, block in FENCE.findall(text(page)) if kind in ("", "sh", "bash") for line in block.splitlines()
    ]
    calls = [line.strip().removeprefix("$ ") for line in lines] + INLINE.findall(text(page))
    return [shlex.split(call, comments=True) for call in calls if call.startswith(("openprod ", ".venv/bin/openprod "))]


@pytest.mark.parametrize("page", ["README.md", *(p for p in PAGES if p.startswith("docs/guides/"))])
def test_commands_that_pages_name_exist(page: str) -> None:
    for words in commands(page):
        command: click.Command = cli
        rest = words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, " ".join(words)
            command, rest = found, rest[1:]
        options = {name for parameter in command.params for name in parameter.opts} | {"--help", "--version"}
        used = {word.partition("=")[0] for word in rest if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        assert used <= options, " ".join(words)


@pytest.mark.parametrize("page", ["README.md", *(p for p in PAGES if p.startswith("docs/"))])
def test_make_targets_that_pages_name_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z][\w-]*)`", text(page)))
    named |= {
        name for _kind, block in FENCE.findall(text(page)) for name in re.findall(r"^make ([a-z][\w-]*)", block, re.M)
    }
    assert named <= targets
