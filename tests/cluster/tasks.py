"""Steps with dependencies, run side by side as far as these allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()


def run_all(tasks: Sequence[Task]) -> None:
    """Raises the first failure; what had not begun by then never begins, what had is waited for."""
    names = {task.name for task in tasks}
    for task in tasks:
        if unknown := set(task.after) - names:
            raise ValueError(f"{task.name} waits for {sorted(unknown)}, which nobody does")
    waiting = list(tasks)
    done: set[str] = set()
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        running: dict[Future[None], Task] = {}
        while waiting or running:
            for task in [task for task in waiting if done.issuperset(task.after)]:
                waiting.remove(task)
                running[pool.submit(task.run)] = task
            if not running:
                raise ValueError(f"{[task.name for task in waiting]} wait for each other")
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done.add(running.pop(future).name)
                future.result()
