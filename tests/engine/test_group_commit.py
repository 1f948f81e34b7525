"""Group commit: durability for many at the price of one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from nurture.engine.group_commit import GroupCommit


def test_everyone_gets_the_answer_to_her_own_item() -> None:
    async def story() -> list[int]:
        with ThreadPoolExecutor(1) as executor:
            group: GroupCommit[int, int] = GroupCommit(lambda items: [item * 2 for item in items], executor)
            return list(await asyncio.gather(*(group.submit(number) for number in range(1000))))

    assert asyncio.run(story()) == [number * 2 for number in range(1000)]


def test_what_comes_while_a_commit_is_under_way_shares_the_next_one() -> None:
    batches: list[int] = []
    first_runs, go_on = threading.Event(), threading.Event()

    def commit(items: Sequence[int]) -> Sequence[int]:
        batches.append(len(items))
        if len(batches) == 1:
            first_runs.set()
            assert go_on.wait(10)
        return items

    async def story() -> None:
        with ThreadPoolExecutor(1) as executor:
            group: GroupCommit[int, int] = GroupCommit(commit, executor)
            first = asyncio.create_task(group.submit(0))
            assert await asyncio.to_thread(first_runs.wait, 10)
            others = [asyncio.create_task(group.submit(number)) for number in range(1, 51)]
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(first, *others)

    asyncio.run(story())
    assert batches == [1, 50]


def test_an_error_reaches_all_who_waited_for_that_commit_and_nobody_else() -> None:
    failing = True

    def commit(items: Sequence[int]) -> Sequence[int]:
        if failing:
            raise OSError("disk full")
        return items

    async def story() -> None:
        nonlocal failing
        with ThreadPoolExecutor(1) as executor:
            group: GroupCommit[int, int] = GroupCommit(commit, executor)
            answers = await asyncio.gather(*(group.submit(n) for n in range(3)), return_exceptions=True)
            assert [str(answer) for answer in answers] == ["disk full"] * 3
            failing = False
            assert await group.submit(7) == 7

    asyncio.run(story())


@pytest.mark.parametrize("most", [1, 3])
def test_a_commit_takes_no_more_than_it_is_allowed(most: int) -> None:
    sizes: list[int] = []

    def commit(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        return items

    async def story() -> None:
        with ThreadPoolExecutor(1) as executor:
            group: GroupCommit[int, int] = GroupCommit(commit, executor, most=most)
            await asyncio.gather(*(group.submit(n) for n in range(10)))

    asyncio.run(story())
    assert max(sizes) == most
    assert sum(sizes) == 10
