from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from gateway.runtime.group_commit import CommitUnavailable, GroupCommit


class Disk:
    """A durable list, with the misfortunes that disks have."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.opened = 0
        self.closed = 0
        self.is_full = False
        self.cannot_open = False
        self.may_go = threading.Event()
        self.may_go.set()
        self.is_writing = threading.Event()

    @property
    def written(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def open(self) -> Writer:
        if self.cannot_open:
            raise CommitUnavailable("no such disk")
        self.opened += 1
        return Writer(self)


class Writer:
    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def write(self, items: Sequence[int]) -> list[int]:
        self.disk.is_writing.set()
        self.disk.may_go.wait(10)
        if self.disk.is_full:
            raise CommitUnavailable("disk is full")
        if any(item < 0 for item in items):
            raise ValueError("negative")
        self.disk.batches.append(list(items))
        return [item * 10 for item in items]

    def close(self) -> None:
        self.disk.closed += 1


@contextmanager
def committing(disk: Disk, **options: float) -> Iterator[GroupCommit[int, int]]:
    commit: GroupCommit[int, int] = GroupCommit("test", disk.open, **options)  # type: ignore[arg-type]
    commit.start()
    try:
        yield commit
    finally:
        disk.may_go.set()
        commit.stop()


async def outcomes(commit: GroupCommit[int, int], items: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(commit.submit(item) for item in items), return_exceptions=True)


async def test_each_caller_gets_its_own_result() -> None:
    disk = Disk()
    with committing(disk) as commit:
        assert await outcomes(commit, range(64)) == [n * 10 for n in range(64)]
    assert sorted(disk.written) == list(range(64))


async def test_callers_that_wait_together_share_a_commit() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk) as commit:
        first = asyncio.ensure_future(commit.submit(0))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        rest = asyncio.create_task(outcomes(commit, range(1, 64)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        disk.may_go.set()
        await first
        await rest
    assert [len(batch) for batch in disk.batches] == [1, 63]


async def test_items_of_one_turn_of_the_loop_share_a_commit() -> None:
    disk = Disk()
    with committing(disk) as commit:
        await outcomes(commit, range(32))
    assert [len(batch) for batch in disk.batches] == [32]


async def test_items_of_the_next_turn_share_the_commit_of_several_callers() -> None:
    disk = Disk()
    with committing(disk) as commit:
        first = [commit.submit(1), commit.submit(2)]
        await asyncio.sleep(0)
        assert await asyncio.gather(*first, commit.submit(3)) == [10, 20, 30]
    assert disk.batches == [[1, 2, 3]]


async def test_order_of_submission_is_kept() -> None:
    disk = Disk()
    with committing(disk) as commit:
        await outcomes(commit, range(200))
    assert disk.written == list(range(200))


async def test_batches_are_bounded() -> None:
    disk = Disk()
    with committing(disk, batch_limit=16) as commit:
        await outcomes(commit, range(100))
    assert max(len(batch) for batch in disk.batches) <= 16


async def test_bad_item_fails_alone() -> None:
    disk = Disk()
    with committing(disk) as commit:
        results = await outcomes(commit, [1, 2, -3, 4, 5, -6, 7])
    assert [r for r in results if not isinstance(r, BaseException)] == [10, 20, 40, 50, 70]
    assert isinstance(results[2], ValueError)
    assert isinstance(results[5], ValueError)
    assert sorted(disk.written) == [1, 2, 4, 5, 7]


async def test_writer_that_cannot_write_fails_everybody() -> None:
    disk = Disk()
    disk.is_full = True
    with committing(disk) as commit:
        results = await outcomes(commit, range(20))
    assert all(isinstance(r, CommitUnavailable) for r in results)
    assert disk.written == []


async def test_recovery_needs_no_hands() -> None:
    disk = Disk()
    disk.is_full = True
    with committing(disk) as commit:
        await outcomes(commit, [1])
        disk.is_full = False
        assert await commit.submit(2) == 20
    assert (disk.opened, disk.closed) == (2, 2)


async def test_writer_that_cannot_be_opened_is_tried_again() -> None:
    disk = Disk()
    disk.cannot_open = True
    with committing(disk) as commit:
        with pytest.raises(CommitUnavailable, match="no such disk"):
            await commit.submit(1)
        disk.cannot_open = False
        assert await commit.submit(2) == 20


async def test_item_that_waited_too_long_is_never_written() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk, timeout_s=0.05) as commit:
        first = asyncio.ensure_future(commit.submit(1))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        with pytest.raises(CommitUnavailable) as caught:
            await commit.submit(2)
        assert caught.value.certain
        disk.may_go.set()
        assert await first == 10
        assert await commit.submit(3) == 30
    assert disk.written == [1, 3]


async def test_commit_that_is_stuck_does_not_hold_its_caller_for_ever() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk, timeout_s=0.05) as commit:
        with pytest.raises(CommitUnavailable, match="stuck") as caught:
            await commit.submit(1)
        assert not caught.value.certain


async def test_several_that_wait_too_long_are_all_given_back() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk, timeout_s=0.3) as commit:
        first = asyncio.ensure_future(commit.submit(1))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        results = await outcomes(commit, [2, 3, 4])
        assert all(isinstance(r, CommitUnavailable) and r.certain for r in results)
        disk.may_go.set()
        assert await first == 10
    assert disk.written == [1]


async def test_loops_of_two_threads_share_one_log() -> None:
    disk = Disk()
    with committing(disk) as commit:
        there = asyncio.to_thread(asyncio.run, outcomes(commit, range(100, 150)))
        here = outcomes(commit, range(50))
        theirs, ours = await asyncio.gather(there, here)
    assert theirs == [n * 10 for n in range(100, 150)]
    assert ours == [n * 10 for n in range(50)]
    assert sorted(disk.written) == [*range(50), *range(100, 150)]


async def test_full_queue_refuses_at_once() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk, queue_limit=2) as commit:
        first = asyncio.ensure_future(commit.submit(1))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        waiting = asyncio.create_task(outcomes(commit, [2, 3]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(CommitUnavailable, match="waiting"):
            await commit.submit(4)
        disk.may_go.set()
        await first
        assert await waiting == [20, 30]


async def test_cancelled_caller_leaves_nothing_behind() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk) as commit:
        first = asyncio.ensure_future(commit.submit(1))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        second = asyncio.ensure_future(commit.submit(2))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        disk.may_go.set()
        await first
    assert disk.written == [1]


async def test_stopping_writes_what_is_queued() -> None:
    disk = Disk()
    disk.may_go.clear()
    with committing(disk) as commit:
        waiting = asyncio.create_task(outcomes(commit, range(10)))
        await asyncio.to_thread(disk.is_writing.wait, 5)
        disk.may_go.set()
        await asyncio.to_thread(commit.stop)
        assert await waiting == [n * 10 for n in range(10)]
    assert disk.closed == 1


async def test_nothing_is_taken_before_the_start_or_after_the_stop() -> None:
    commit: GroupCommit[int, int] = GroupCommit("test", Disk().open)
    with pytest.raises(CommitUnavailable, match="not running"):
        await commit.submit(1)
    commit.start()
    commit.stop()
    with pytest.raises(CommitUnavailable, match="not running"):
        await commit.submit(1)
