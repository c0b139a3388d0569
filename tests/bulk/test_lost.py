"""Workers and clusters that are not there, without Ray."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence

import pytest

from s2lic.bulk import run
from s2lic.bulk import session as sessions
from s2lic.bulk.job import BulkJob, BulkTask, Tally
from s2lic.bulk.places import open_place
from s2lic.bulk.plan import BulkPlan
from s2lic.coding.options import EncodeOptions
from s2lic.errors import ClusterError

POOL = run.WorkerPoolSize(1, 1, 0)


def test_a_task_that_never_comes_back_is_tried_alone_and_then_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def lose_b(plan: BulkPlan, tasks: Sequence[BulkTask], batch: int, pool: object) -> Iterator[Tally]:
        sizes.append((len(tasks), batch))
        yield from (Tally([task.target], done=1) for task in tasks if task.target == "a" and batch == run.BATCH)
        yield from (Tally([task.target], done=1) for task in tasks if task.target == "c" and batch == 1)

    monkeypatch.setattr(run, "_tallies", lose_b)
    place = open_place("memory://lost")
    tasks = [BulkTask([name], name) for name in "abc"]
    found = list(run._with_missing(BulkPlan(BulkJob(EncodeOptions()), place, place, tasks, 0), POOL))
    assert sizes == [(3, run.BATCH), (2, 1)]
    assert [tally.targets for tally in found] == [["a"], ["c"], ["b"]]
    assert [row["error"] for row in found[-1].errors] == ["WorkerDiedError"]


def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no answer")

    fake = types.SimpleNamespace(is_initialized=lambda: False, init=refuse)
    monkeypatch.setattr(sessions, "import_ray", lambda: fake)
    with pytest.raises(ClusterError, match="the cluster at head:6379: no answer"):
        sessions.session("head:6379", None).__enter__()
