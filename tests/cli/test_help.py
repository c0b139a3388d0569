"""`--help` is a page of manual: what, options, and examples that work as they stand there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image

from s2lic.cli import COMMANDS, GROUPS, application
from s2lic.cli.examples import EXAMPLES

from .conftest import Result

Run = Callable[..., Result]
# These take long; that their words are understood is what is tested here.
LONG = (
    "bulk encode",
    "bulk decode",
    "models",
    "eval",
    "train",
    "explain",
    "bench speed",
    "lab bench",
    "lab mqar",
    "lab place",
    "lab calibrate",
    "weights verify",
    "weights add",
    "weights fetch",
    "weights export",
    "weights fit",
)
SLOW = "saliency"  # needs a codec that is one

GROUPED = [f"{group} {command.__name__}" for group, (_, commands) in GROUPS.items() for command in commands]
NAMES = [command.__name__ for command in COMMANDS] + GROUPED


def split(line: str) -> tuple[list[str], bytes]:
    """The words of a line behind the program, and what it reads from `<FILE`."""
    program, *words = shlex.split(line)
    assert program == "s2lic"
    if words[-1].startswith("<"):
        return words[:-1], Path(words[-1][1:]).read_bytes()
    return words, b""


def test_every_command_has_examples_and_none_is_of_another() -> None:
    assert set(EXAMPLES) == set(NAMES)
    assert all(len(rows) >= 2 for rows in EXAMPLES.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_ends_in_its_examples(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in run(*name.split(), "--help").out.decode().splitlines()]
    assert all(
        any(shown.startswith(line) and shown.endswith(words) for shown in lines) for line, words in EXAMPLES[name]
    )
    assert "Examples:" in lines


def test_every_command_prints_json(run: Run) -> None:
    assert all("--json" in run(*name.split(), "--help").out.decode() for name in NAMES)
    assert all("--verbose" in run(*name.split(), "--help").out.decode() for name in NAMES)


@pytest.mark.usefixtures("fake_codec")
def test_the_examples_run_one_after_the_other(run: Run, photo: Path) -> None:
    photo.rename("img.png")
    Path("photos").mkdir()
    with Image.open("img.png") as image:
        image.save("photos/one.png")
        image.save("map.png")
    for name in NAMES:
        for line, _ in EXAMPLES[name]:
            words, stdin = split(line)
            if name not in LONG and SLOW not in words:
                assert run(*words, stdin=stdin).code == 0, line


@pytest.mark.parametrize("line", [line for name in LONG for line, _ in EXAMPLES.get(name, ())])
def test_the_words_of_a_long_example_are_understood(line: str) -> None:
    words, _ = split(line)
    command = typer.main.get_command(application())
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    with command.make_context("s2lic", words) as context:
        assert context.params


def test_the_exit_codes_and_completion_are_in_the_help(run: Run) -> None:
    text = run("--help").out.decode()
    assert "Exit codes" in text
    assert "--install-completion" in text


@pytest.mark.parametrize(
    ("words", "found"),
    [("s2lic enc", "encode"), ("s2lic decode --skip", "--skip-existing"), ("s2lic info -", "--json")],
)
def test_the_shell_completes_commands_and_options(words: str, found: str) -> None:
    """What bash asks when Tab is pressed, after `s2lic --install-completion`."""
    asked = {"_S2LIC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = "import sys; sys.argv = ['s2lic']; from s2lic.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert found in process.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_can_be_printed(shell: str) -> None:
    script = "import sys; sys.argv = ['s2lic', '--show-completion', sys.argv[1]]; from s2lic.cli import main; main()"
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    process = subprocess.run(
        [sys.executable, "-c", script, shell], env=environment, capture_output=True, text=True, check=True
    )
    assert "_S2LIC_COMPLETE" in process.stdout
