"""From the options of `s2lic eval` to the codecs to measure, and back to its command line."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from s2lic.cli.open_codec import model_file
from s2lic.cli.options import decimals
from s2lic.errors import UsageError
from s2lic.runtime import DeviceName, pick_device

if TYPE_CHECKING:
    from s2lic.eval.measure import Selection

OURS = "s2lic"


def codecs_of(texts: Sequence[str]) -> dict[str, str]:
    """The name of each codec, and the template of those that are commands. Raises UsageError."""
    found = list[tuple[str, str]]()
    for text in texts:
        name, is_command, template = text.partition("=")
        found += [(name.strip(), template)] if is_command else [(name, "") for name in split_names(text)]
    if not found:
        raise UsageError("--codec names no codec; s2lic is one")
    refuse_twice([name for name, _ in found])
    return dict(found)


def settings_of_ours(models: Sequence[str], device: DeviceName) -> list[str]:
    """`--device` and a single `--model` as settings of our codec."""
    named = [f"s2lic.model={models[0]}"] if len(models) == 1 else []
    return named if device is DeviceName.cpu else [*named, f"s2lic.device={pick_device(device)}"]


def settings_of(settings: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parses settings into options by codec. Raises UsageError."""
    found: dict[str, dict[str, str]] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        codec, dot, key = name.partition(".")
        if not (equals and dot):
            raise UsageError(f"--set takes CODEC.NAME=VALUE, not {text!r}")
        found.setdefault(codec, {})[key] = value
    return found


def selections_of(
    named: dict[str, str], qualities: Sequence[str], options: dict[str, dict[str, str]], models: Sequence[str]
) -> tuple[Selection, ...]:
    """Raises UsageError."""
    lists = [_of(next(iter(named)), text) for text in qualities]
    wanted = {codec: tuple(decimals("--qualities", numbers)) for codec, numbers in lists}
    if strange := sorted({*wanted, *options} - {*named, "s2lic"}):
        raise UsageError(f"there are qualities or settings for {', '.join(strange)}, which --codec does not name")
    found = []
    for name, template in named.items():
        selection = _command(name, template) if template else _selection(name)
        given = tuple(sorted({**dict(selection.options), **options.get(name, {})}.items()))
        selection = replace(selection, qualities=wanted.get(name, selection.qualities), options=given)
        if not selection.qualities:
            raise UsageError(f"{name} has no usual qualities; give some: --qualities {name}=10,30,50,70,80,90")
        found += _of_models(selection, models) if name == OURS and len(models) > 1 else [selection]
    refuse_twice([selection.codec for selection in found])
    return tuple(found)


def _selection(name: str) -> Selection:
    """A codec of the table at its usual qualities. Raises UsageError."""
    from s2lic.eval.codecs import row
    from s2lic.eval.measure import Selection

    return Selection(name, row(name).qualities)


def _command(name: str, template: str) -> Selection:
    """A command as a codec. Raises UsageError."""
    from s2lic.eval.codecs import names
    from s2lic.eval.codecs.template import ROW
    from s2lic.eval.measure import Selection

    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or name in (*names(), ROW.name):
        raise UsageError(f"a command needs a name of its own, of letters, digits, '.', '-' and '_', not '{name}'")
    return Selection(name, (), (("template", template),), ROW.name)


def _of_models(selection: Selection, models: Sequence[str]) -> list[Selection]:
    """Our codec once for each model."""
    return [
        replace(
            selection,
            codec=f"{OURS}-{Path(model).stem if model_file(model) else model}",
            options=tuple(sorted({**dict(selection.options), "model": model}.items())),
            kind=OURS,
        )
        for model in models
    ]


def _of(first: str, text: str) -> tuple[str, str]:
    """The codec and its list in `LIST` or `CODEC=LIST`."""
    codec, equals, numbers = text.partition("=")
    return (codec, numbers) if equals else (first, text)


def words_of(
    codecs: Sequence[str],
    qualities: Sequence[str],
    baseline: str | None,
    models: Sequence[str],
    settings: Sequence[str],
    jobs: int,
) -> str:
    """The command line without the folders of this machine."""
    words = [word for text in codecs for word in ("--codec", _without_program_folders(text))]
    words += ["--baseline", baseline] if baseline else []
    words += [word for text in qualities for word in ("--qualities", text)]
    words += [word for model in models for word in ("--model", Path(model).name)]
    words += [word for text in settings for word in ("--set", _without_folder(text))]
    return " ".join([*words, "-j", str(jobs)] if jobs > 1 else words)


def _without_program_folders(codec: str) -> str:
    from s2lic.eval.codecs.template import without_folders

    name, is_command, template = codec.partition("=")
    return shlex.quote(f"{name}={without_folders(template)}") if is_command else codec


def _without_folder(setting: str) -> str:
    name, _, value = setting.partition("=")
    return f"{name}={','.join(Path(word).name for word in value.split(','))}"


def split_names(text: str) -> list[str]:
    """Names separated by commas, without blanks."""
    return [name.strip() for name in text.split(",") if name.strip()]


def refuse_twice(names: Sequence[str]) -> None:
    """Raises UsageError for names that occur twice."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{twice[0]} is named twice; name it once")
