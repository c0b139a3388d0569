"""The API reference: signatures and docstrings of the public names of s2lic, for docs/api.md.

python -m scripts.api_reference --write    regenerate docs/api.md after a change to public signatures or docstrings
"""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import s2lic
from s2lic import errors

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
HEAD = """\
# API reference

This page is generated from the code by `python -m scripts.api_reference --write`; a test compares the two. It lists
what `import s2lic` provides. Examples: [in a service](how-to/service.md), [through Pillow](how-to/pillow.md). All other
modules are internal and may change in any release.
"""
ERRORS = """\
## `s2lic.errors`

Every cause of failure has its own exception. Catch `UsageError` if the call must change, `ImageError` if the image
cannot be encoded, `BitstreamError` if the file cannot be decoded, or `S2licError` for all of them. The number is the
exit code of the command line.
"""
WIDTH = 120


def page() -> str:
    """The whole page."""
    functions = [entry(f"s2lic.{name}", getattr(s2lic, name)) for name in ("encode", "decode", "info")]
    members = [entry(f"Codec.{name}", member) for name, member in public_members(s2lic.Codec)]
    causes = ERRORS + "\n" + "".join(f"{line}\n" for root in roots() for line in error_tree(root))
    options = [entry(f"s2lic.{name}", getattr(s2lic, name)) for name in ("EncodeOptions", "DecodeOptions")]
    return "\n".join([HEAD, *functions, entry("s2lic.Codec", s2lic.Codec), *members, *options, causes])


def public_members(cls: type) -> Iterator[tuple[str, Callable[..., Any] | property]]:
    """Methods and properties that a class defines itself, in source order."""
    for name, member in vars(cls).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member


def entry(name: str, member: Callable[..., Any] | property) -> str:
    """One public name: a heading, then its signature and docstring as `help` shows them."""
    getter = member.fget if isinstance(member, property) else member
    what = f"{name}: {inspect.signature(getter).return_annotation}" if getter is not member else call(name, getter)
    text = textwrap.indent(inspect.getdoc(member) or "", "    ")
    return f"## `{name}`\n\n```text\n{what}\n" + (f"\n{text}\n" if text else "") + "```\n"


def call(name: str, function: Callable[..., Any]) -> str:
    """A signature as a call, with one parameter per line if it is long."""
    signature = inspect.signature(function)
    words = list(parameters(signature))
    result = "" if signature.return_annotation in (None, "None", signature.empty) else signature.return_annotation
    end = f") -> {result}" if result else ")"
    line = f"{name}({', '.join(words)}{end}"
    return line if len(line) <= WIDTH else "\n".join([f"{name}(", *(f"    {word}," for word in words), end])


def parameters(signature: inspect.Signature) -> Iterator[str]:
    """The parameters without `self`, with a `*` before keyword-only ones."""
    starred = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        default = "" if parameter.default is parameter.empty else f" = {value(parameter.default)}"
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        yield f"{stars}{parameter.name}: {parameter.annotation}{default}"


def value(default: object) -> str:
    """A default as source text. A function is shown by its name, because its address changes from run to run."""
    return str(getattr(default, "__name__", repr(default)))


def roots() -> list[type[Exception]]:
    """The exceptions and warnings without a base class in s2lic, in source order."""
    return [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__base__.__module__ == "builtins"]


def error_tree(error: type[Exception], depth: int = 0) -> Iterator[str]:
    """A nested list of an exception and its subclasses, in source order."""
    summary, code = (error.__doc__ or "").partition("\n")[0], getattr(error, "exit_code", None)
    yield f"{'  ' * depth}- `{error.__name__}`{f' ({code})' if code else ''}: {summary}"
    for kind in error.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from error_tree(kind, depth + 1)


def main() -> int:
    """Compares the page with the code, or writes it; returns 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/api.md")
    if parser.parse_args().write:
        PAGE.write_text(page())
    same = PAGE.read_text() == page()
    print(f"{PAGE.name} {'is that of the code' if same else 'differs; run with --write'}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
