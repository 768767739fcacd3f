"""Processes that read a large package for its index."""

from __future__ import annotations

import multiprocessing

from logctx_lint.project.index_workers import IndexWorkers


def _are_worth_it(files: int) -> bool:
    return IndexWorkers(None, jobs=2).are_worth_it(files)


def test_many_files_are_worth_processes_and_few_are_not() -> None:
    assert _are_worth_it(1000)
    assert not _are_worth_it(3)


def test_a_worker_starts_no_processes_of_its_own() -> None:
    with multiprocessing.Pool(1) as pool:
        assert pool.apply(_are_worth_it, (1000,)) is False
