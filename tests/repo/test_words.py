"""What may not be written where."""

from __future__ import annotations

import ast
import re

import pytest

from tests.repo.files import ROOT, kept, python, text

# Written apart, so that this file doesn't hold what it looks for.
DOMAIN = re.compile(r"(?<![a-z])(?:cue|fixture|contact|script|call[ _-]?time)s?(?![a-z])", re.IGNORECASE)
HOSTS = re.compile("|".join(re.escape(one.replace(" ", "")) for one in (
    "pypi .org", "python hosted.org", "npmjs .org", "npmjs .com", "yarn pkg.com", "npmmirror .com", "registry .npm",
    "/simple /", "goproxy .", "crates .io",
)))  # fmt: skip
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|Users|opt|mnt|tmp/v|var/folders)/(?!me/)[\w.-]+|[A-Z]:\\\\Users")
SQL = re.compile(
    r"\b(?:SELECT\s.+\sFROM|INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE|PRAGMA\s)"
)


def code_of(path: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text(path))))


@pytest.mark.parametrize("path", python("openprod"))
def test_the_engine_knows_no_department(path: str) -> None:
    """What a cue is, is said by a plugin."""
    found = [line for line in text(path).splitlines() if DOMAIN.search(line.replace("JavaScript", ""))]
    assert found == []


def test_no_registry_and_no_machine_is_named() -> None:
    found = {
        path: sorted({match.group() for match in (*HOSTS.finditer(text(path)), *MACHINE.finditer(text(path)))})
        for path in kept()
    }
    assert {path: names for path, names in found.items() if names} == {}


CHANCE = re.compile(r"(?<![\w.])random\.(?!Random\b)\w+\(|\bRandom\(\)|System" "Random")


@pytest.mark.parametrize("path", python("tests", "plugins"))
def test_every_random_test_walks_a_seed_that_comes_again(path: str) -> None:
    """So a failure belongs to the change that it came with, see tests/seeds.py."""
    assert [line for line in text(path).splitlines() if CHANCE.search(line)] == []


@pytest.mark.parametrize("path", python("openprod"))
def test_only_the_command_line_prints_and_only_settings_reads_the_environment(path: str) -> None:
    nodes = code_of(path)
    if not path.startswith("openprod/cli/"):
        names = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not names & {"print", "input"}
        streams = {
            node.attr for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys"
        }  # fmt: skip
        assert not streams & {"stdout", "stderr", "stdin", "argv"}
    if path != "openprod/settings.py":
        asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        asked |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not asked & {"environ", "environb", "getenv", "getenvb"}


@pytest.mark.parametrize("path", [p for p in python("openprod") if not p.startswith("openprod/storage/sqlite/")])
def test_sql_only_in_the_storage(path: str) -> None:
    strings = [node.value for node in code_of(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [string for string in strings if SQL.search(string)] == []


def test_the_words_that_are_looked_for_are_found() -> None:
    for line in ("a cue", "Cues,", "call time", "call_time", "the script", "scripts.x", "Contact"):
        assert DOMAIN.search(line), line
    for line in ("rescue", "description", "subscript", "fixtureless", "called in time", "contactless"):
        assert not DOMAIN.search(line), line
    assert HOSTS.search("https://registry." + "npm" + "js.org/x")
    assert MACHINE.search("see /work/" + "main")
    assert MACHINE.search('"/home/' + 'alex/show"')
    assert SQL.search("SELECT id FROM bundle")
    assert (ROOT / "pyproject.toml").is_file()
