"""Mutates files in many ways, and checks that each ends in a named error, within limits of time and memory.

    python -m scripts.mutate [--count 10000] [--seed 0] [--runtime torch|onnx]

Bits of valid small files of the tests' frozen model, some with tiles, alpha and metadata, are flipped, and files are
cut and lengthened. Half of the mutants have both checksums corrected, as an attacker would do, and some of these have
other header fields, exceptions or alpha. A child process decodes them and saves the results as PNG, so that a crash is
a result too. Exit code 0 if every outcome was allowed.
"""

from __future__ import annotations

import argparse
import io
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from s2lic.codec import Codec
from s2lic.entropy import latent_coder
from s2lic.entropy.symbol_coder import SymbolReader
from s2lic.errors import ArithmeticFaultError, BitstreamError, OutputFormatError
from s2lic.images.save import encode_image
from s2lic.lite import networks
from s2lic.lite.codec import LiteCodec
from scripts.mutants import KINDS, MODEL, ROOT, Mutant, mutant, seeds

SECONDS_MAX = 10.0  # CPU seconds for one file
SILENCE_MAX = 300.0  # wall-clock seconds, on a machine that may be busy
START_SECONDS_MAX = 300.0
MEMORY_MAX = 2 * 2**30
OTHER_PICTURE = "another picture"


@dataclass
class Report:
    """Outcomes by (kind, restamped, outcome), the worst costs, and the failures."""

    outcomes: Counter[tuple[str, bool, str]] = field(default_factory=Counter)
    seconds: float = 0.0
    memory: int = 0
    failures: list[str] = field(default_factory=list)


class Forgiving(SymbolReader):
    """Accept every symbol checksum, as if an attacker had computed it."""

    def finish(self, expected_crc: int) -> None:
        super().finish(self._crc)


class Decoder:
    """Run in the child process, with a warmed-up codec."""

    def __init__(self, runtime: str = "torch") -> None:
        self._codec, self._reads = (LiteCodec(MODEL), networks) if runtime == "onnx" else (Codec(MODEL), latent_coder)
        self._codec.decode(seeds()[0])  # the memory of the first run does not count
        self._memory = peak_memory()

    def outcome(self, case: Mutant) -> str:
        self._reads.SymbolReader = Forgiving if case.restamped else SymbolReader
        try:
            encode_image(self._codec.decode(case.data), ".png")
        except (BitstreamError, ArithmeticFaultError, OutputFormatError) as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 whatever it is, it is what we look for
            return f"FAILED {type(error).__name__} {error}".splitlines()[0]
        finally:
            self._reads.SymbolReader = SymbolReader
        return OTHER_PICTURE if case.restamped else "FAILED a broken file was decoded"

    def work(self, count: int, seed: int, start: int, out: IO[str]) -> None:
        """Print a line per mutant: number, CPU seconds, memory growth in bytes, outcome."""
        files = seeds()
        print("ready", file=out, flush=True)
        for index in range(start, count):
            case = mutant(files, seed, index)
            began = time.process_time()
            outcome = self.outcome(case)
            seconds = time.process_time() - began
            print(index, f"{seconds:.3f}", peak_memory() - self._memory, outcome, file=out, flush=True)


def peak_memory() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def campaign(count: int, seed: int, runtime: str = "torch") -> Report:
    """Run mutants 0 to `count`. A child that crashes or hangs is a failure and is replaced by a new one."""
    report, files, start = Report(), seeds(), 0
    while start < count:
        done = start
        for index, seconds, memory, outcome in _lines(count, seed, start, runtime):
            case = mutant(files, seed, index)
            _enter(report, index, case, seconds, memory, outcome)
            done = index + 1
        if done < count:
            report.failures.append(f"mutant {done}: the process crashed or was silent for {SILENCE_MAX} s")
            done += 1
        start = done
    return report


def _enter(report: Report, index: int, case: Mutant, seconds: float, memory: int, outcome: str) -> None:
    report.outcomes[case.kind, case.restamped, outcome] += 1
    report.seconds, report.memory = max(report.seconds, seconds), max(report.memory, memory)
    if outcome.startswith("FAILED"):
        report.failures.append(f"mutant {index}: {outcome}")
    if seconds > SECONDS_MAX:
        report.failures.append(f"mutant {index}: took {seconds} s")
    if memory > MEMORY_MAX:
        report.failures.append(f"mutant {index}: memory grew by {memory} bytes")


def _lines(count: int, seed: int, start: int, runtime: str) -> Iterator[tuple[int, float, int, str]]:
    """The lines of a child, until it ends or is silent for too long."""
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    words = [
        sys.executable,
        "-m",
        "scripts.mutate",
        "--work",
        "--count",
        str(count),
        "--seed",
        str(seed),
        "--start",
        str(start),
        "--runtime",
        runtime,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as child:
        assert child.stdout is not None
        said = _reader(child.stdout)
        try:
            line = said.get(timeout=START_SECONDS_MAX)
            while line and (line := said.get(timeout=SILENCE_MAX)):
                index, seconds, memory, outcome = line.rstrip("\n").split(" ", 3)
                yield int(index), float(seconds), int(memory), outcome
        except queue.Empty:
            return  # silent for too long: the caller counts the mutants it has no line of as failures
        finally:
            child.kill()


def _reader(stream: IO[str]) -> queue.Queue[str]:
    """A queue of lines that ends with an empty one, to read with a time limit."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


def table(report: Report) -> str:
    """The outcomes as Markdown."""
    columns = sorted({(kind, made) for kind, made, _ in report.outcomes}, key=lambda c: (c[1], KINDS.index(c[0])))
    text = io.StringIO()
    print("| outcome |", *(f"{kind}{', restamped' if made else ''} |" for kind, made in columns), file=text)
    print("|---|" + "---|" * len(columns), file=text)
    for outcome in sorted({outcome for _, _, outcome in report.outcomes}):
        cells = (report.outcomes[(*column, outcome)] for column in columns)
        print(f"| {outcome} |", *(f"{cell} |" for cell in cells), file=text)
    print(f"\nlongest {report.seconds:.2f} s, memory grew by {report.memory / 2**20:.0f} MiB", file=text)
    return text.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--runtime", choices=("torch", "onnx"), default="torch")
    words = parser.parse_args()
    if words.work:
        Decoder(words.runtime).work(words.count, words.seed, words.start, sys.stdout)
        return 0
    report = campaign(words.count, words.seed, words.runtime)
    print(table(report), *report.failures, sep="\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
