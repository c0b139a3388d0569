"""From inputs and folders to jobs, each with the name of its output, checked before any work begins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from s2lic.coding.pipeline import Job
from s2lic.errors import InputMissingError, OutputUnwritableError, UsageError
from s2lic.files import descriptor_of, is_folder, is_special, make_folder, read_bytes, real_path
from s2lic.images.names import is_picture_name

STANDARD = "-"
CODED_ENDINGS = (".s2lic", ".bin")
STDOUT = 1

Found = tuple[str, Path]  # a file, and its place under the input that it was found in


@dataclass(frozen=True)
class Batch:
    """The jobs of a run; `many` if the request was for a folder or for several inputs, whatever was found.

    `notes` say which files of the folders were left out, where the user might have expected them.
    """

    jobs: list[Job]
    many: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class InputFilter:
    """Which files of a folder are inputs, and what they are called in a message.

    `unreadable` describes those of the other files that the user may have expected to be inputs too.
    """

    what: str
    accept: Callable[[Path], bool]
    unreadable: Callable[[Iterable[Path]], str] = lambda _: ""


@dataclass(frozen=True)
class Outputs:
    """Where results go: to one file, into a folder, or next to the inputs.

    Attributes:
        output: The file, if one was named.
        outdir: The folder, if one was named.
        beside: The ending of a name next to its input.
        apart: The ending of a name in `outdir`.
    """

    output: str | None
    outdir: Path | None
    beside: str
    apart: str

    def name(self, source: str, within: Path) -> str:
        """The output of a file found at the relative path `within`."""
        if self.output is not None or source == STANDARD:
            return STANDARD if self.output is None or descriptor_of(self.output) == STDOUT else self.output
        if self.outdir is not None:
            return str(self.outdir / within.with_name(within.stem + self.apart))
        return str(Path(source).with_name(Path(source).stem + self.beside))


def name_output(
    sources: list[str], output: str | None, outdir: Path | None, coded: bool
) -> tuple[list[str], str | None]:
    """The inputs and the output, where `IN OUT` means `IN -o OUT`.

    Args:
        sources: The names on the command line.
        output: The file of -o.
        outdir: The folder of --outdir.
        coded: Whether outputs are s2lic files; else they are pictures.
    """
    if len(sources) != 2 or output is not None or outdir is not None or is_folder(sources[0]):
        return sources, output
    last = Path(sources[1])
    is_coded, is_picture = last.suffix.lower() in CODED_ENDINGS, is_picture_name(last)
    own, other = (is_coded, is_picture) if coded else (is_picture, is_coded)
    if sources[1] == STANDARD or own or not (other or last.exists()):
        return sources[:1], sources[1]
    return sources, output


def all_inputs(sources: Sequence[str] | None, files_from: str | None) -> list[str]:
    """The inputs of the command line and those that a file lists. Raises UsageError, InputMissingError."""
    listed = [] if files_from is None else _listed(files_from)
    found = [*(sources or ()), *listed]
    if not found:
        raise UsageError("there is no input: give files or folders, - for stdin, or --files-from FILE")
    return found


def _listed(name: str) -> list[str]:
    data = sys.stdin.buffer.read() if name == STANDARD else read_bytes(Path(name))
    return [line for line in os.fsdecode(data).splitlines() if line]


def find_inputs(sources: Sequence[str], wanted: InputFilter, recursive: bool) -> Batch:
    """Jobs without outputs. Raises UsageError or InputMissingError."""
    found, notes = _find(sources, wanted, recursive)
    return Batch([Job(source) for source, _ in found], _many(sources), notes)


def plan(
    sources: Sequence[str],
    outputs: Outputs,
    wanted: InputFilter,
    recursive: bool,
    as_json: bool,
    read: Sequence[str | Path | None] = (),
) -> Batch:
    """Jobs with outputs, whose folders are made.

    Args:
        sources: Files and folders.
        outputs: Where results go.
        wanted: Which files of folders are inputs.
        recursive: Whether to look into the folders of folders.
        as_json: Whether stdout is taken by JSON.
        read: Other files that the command reads, which no output may overwrite.

    Raises:
        UsageError, InputMissingError, OutputUnwritableError.
    """
    _check_request(sources, outputs)
    found, notes = _find(sources, wanted, recursive)
    jobs = [Job(source, outputs.name(source, within)) for source, within in found]
    check_targets(jobs, as_json, read)
    if outputs.outdir is not None:
        for folder in {Path(job.target or "").parent for job in jobs}:
            make_folder(folder)
    return Batch(jobs, _many(sources), notes)


def _many(sources: Sequence[str]) -> bool:
    return len(sources) > 1 or is_folder(sources[0])


def _check_request(sources: Sequence[str], outputs: Outputs) -> None:
    if outputs.output is not None and outputs.outdir is not None:
        raise UsageError("-o names one file and --outdir a folder; give one of them")
    if outputs.output == "":
        raise UsageError("the output's name is empty; give -o FILE, or leave -o out")
    if outputs.output is not None and _many(sources):
        raise UsageError("-o names the output of one file; for more, give --outdir FOLDER")
    if outputs.output is not None and is_folder(outputs.output):
        raise UsageError(f"{outputs.output} is a folder; give -o a file's name, or --outdir {outputs.output}")
    if outputs.outdir is not None and STANDARD in sources:
        raise UsageError("stdin has no name to give to a file in --outdir; give -o FILE")


def _find(sources: Sequence[str], wanted: InputFilter, recursive: bool) -> tuple[list[Found], tuple[str, ...]]:
    """The files, and a note for each folder that has others which the user may have expected."""
    if "" in sources:
        raise UsageError("an input's name is empty; give a file or a folder")
    if STANDARD in sources and len(sources) > 1:
        raise UsageError("- is stdin and stands alone; name a file of that name ./-")
    found: list[Found] = []
    notes: list[str] = []
    for source in sources:
        if is_folder(source):
            inside, note = _in_folder(source, wanted, recursive)
            found += inside
            notes += [f"{source}: left out: {note}"] if note else []
        else:
            found.append((source, Path(Path(source).name)))
    return found, tuple(notes)


def _in_folder(source: str, wanted: InputFilter, recursive: bool) -> tuple[list[Found], str]:
    """The inputs in a folder, and which other files were left out. Raises UsageError if there are no inputs."""
    accepted, others = list[Path](), list[Path]()
    for path in _walk(Path(source), recursive):
        # A pipe or a device would keep its reader waiting; it is read only if it is named.
        (accepted if wanted.accept(path) and not is_special(path) else others).append(path)
    left_out = [wanted.unreadable(others)]
    left_out += [f"{path} (not a regular file)" for path in others if wanted.accept(path)]
    note = "; ".join(text for text in left_out if text)
    if not accepted:
        deeper = "" if recursive else "; --recursive looks into its folders too"
        raise UsageError(
            f"there are no {wanted.what} in the folder {source}{f'; left out: {note}' if note else ''}{deeper}"
        )
    return [(str(path), path.relative_to(source)) for path in accepted], note


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    """Files in the order of their names, without hidden ones and without folders behind links."""

    def refuse(error: OSError) -> NoReturn:
        raise InputMissingError(
            f"cannot read the folder {error.filename}: {error.strerror}; check it, or leave it out"
        ) from error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def check_targets(jobs: Sequence[Job], as_json: bool, read: Sequence[str | Path | None] = ()) -> None:
    """Refuse outputs that would overwrite each other, an input or another file that is read, or go to a terminal.

    Raises UsageError, OutputUnwritableError.
    """
    inputs = places([*(job.source for job in jobs if job.source != STANDARD), *read])
    taken: dict[Path, str] = {}
    for job in jobs:
        if job.target == STANDARD:
            _check_stdout(as_json)
            continue
        target = real_path(job.target or "")
        check_apart(job.target or "", inputs)
        if taken.get(target) == job.source:
            raise UsageError(f"{job.source} is named twice; name it once")
        if target in taken:
            raise UsageError(
                f"{taken[target]} and {job.source} would both become {job.target}; give each a run and an --outdir"
            )
        taken[target] = job.source


def places(names: Iterable[str | Path | None]) -> set[Path]:
    """The real paths of files; None is left out."""
    return {real_path(name) for name in names if name is not None}


def check_apart(target: str | Path, inputs: set[Path]) -> None:
    """Refuse an output that is an input. Raises UsageError."""
    if real_path(target) in inputs:
        raise UsageError(f"{target} is an input itself; give another output")


def _check_stdout(as_json: bool) -> None:
    if as_json:
        raise UsageError("--json prints on stdout, where the output goes already; give -o FILE")
    if sys.stdout is None:
        raise OutputUnwritableError("stdout is closed; open it or give -o FILE")
    if sys.stdout.isatty():
        raise UsageError("a terminal cannot show the output; redirect it or give -o FILE")
