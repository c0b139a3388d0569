"""Work on files in three stages: read, code, write. The middle stage takes several files at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, TypeVar

from s2lic.errors import S2licError
from s2lic.runtime import DeviceName, ProgressCallback

# The most files and pixels in a batch. A single image may have more pixels. On a CPU, only small images of equal size
# gain from batching. The number of files is high so that many of them have equal sizes.
FILES = 64
PIXELS = {DeviceName.cpu: 2**20, DeviceName.cuda: 2**24, DeviceName.auto: 2**24}

DONE, SKIPPED, FAILED = "done", "skipped", "failed"

JobFacts = dict[str, object]


@dataclass(frozen=True)
class Job:
    """The name of an input and that of its output, or None for no output file."""

    source: str
    target: str | None = None


@dataclass(frozen=True)
class JobOutcome:
    """The result of a job: facts for JSON, and the error if it failed."""

    job: Job
    facts: JobFacts = field(default_factory=dict)
    error: S2licError | None = None

    @property
    def status(self) -> str:
        return FAILED if self.error else str(self.facts.get("status", DONE))


Work = Callable[[Iterable[Job], ProgressCallback], Iterator[JobOutcome]]  # reports the progress of a single job


def attempt(job: Job, do: Callable[[], JobFacts]) -> JobOutcome:
    """Run a job and return its outcome."""
    try:
        return JobOutcome(job, do())
    except S2licError as error:
        return JobOutcome(job, error=error)


class Sized(Protocol):
    """The result of `begin`, which has a number of pixels."""

    @property
    def pixels(self) -> int: ...


Coder = TypeVar("Coder")  # a `Codec`, which this module must not import
Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Stages(Generic[Coder, Item, Result]):
    """The three stages.

    Attributes:
        begin: Reads and checks the input of a job. Returns its facts if nothing is left to do.
        code: Encodes or decodes the inputs of several jobs.
        end: Writes one result. It also gets the seconds that coding took.
    """

    begin: Callable[[Job], Item | JobFacts]
    code: Callable[[Coder, Sequence[Item]], Sequence[Result]]
    end: Callable[[Job, Item, Result, float], JobFacts]

    def work(self, codec: Callable[[ProgressCallback], Coder], device: DeviceName) -> Work:
        """A function that runs jobs. It opens the codec after it has read the first input without an error."""

        def work(jobs: Iterable[Job], done: ProgressCallback) -> Iterator[JobOutcome]:
            opened, begun = partial(codec, done), list[tuple[Job, Item | JobOutcome]]()
            for job in jobs:
                item = self._begun(job)
                if isinstance(item, JobOutcome) and not begun:
                    yield item
                    continue
                begun.append((job, item))
                if self._enough(begun, device):
                    yield from self._ended(opened, begun)
                    begun = []
            yield from self._ended(opened, begun)

        return work

    def _begun(self, job: Job) -> Item | JobOutcome:
        try:
            found = self.begin(job)
        except S2licError as error:
            return JobOutcome(job, error=error)
        return JobOutcome(job, found) if isinstance(found, dict) else found

    @staticmethod
    def _enough(begun: list[tuple[Job, Item | JobOutcome]], device: DeviceName) -> bool:
        pixels = sum(item.pixels for _, item in begun if not isinstance(item, JobOutcome))
        return len(begun) >= FILES or pixels >= PIXELS[device]

    def _ended(self, codec: Callable[[], Coder], begun: list[tuple[Job, Item | JobOutcome]]) -> Iterator[JobOutcome]:
        items = [item for _, item in begun if not isinstance(item, JobOutcome)]
        results = iter(self._coded(codec, items) if items else [])
        for job, item in begun:
            yield item if isinstance(item, JobOutcome) else self._written(job, item, *next(results))

    def _coded(self, codec: Callable[[], Coder], items: list[Item]) -> list[tuple[Result | S2licError, float]]:
        """The results and their seconds. If a batch fails, each item is coded alone, to find the one that fails."""
        try:
            coder, start = codec(), time.perf_counter()
            results = self.code(coder, items)
        except S2licError as error:
            return [(error, 0.0)] if len(items) == 1 else [self._coded(codec, [item])[0] for item in items]
        seconds = (time.perf_counter() - start) / len(items)
        return [(result, seconds) for result in results]

    def _written(self, job: Job, item: Item, result: Result | S2licError, seconds: float) -> JobOutcome:
        if isinstance(result, S2licError):
            return JobOutcome(job, error=result)
        return attempt(job, lambda: self.end(job, item, result, seconds))
