"""Threads for questions: so many at once, and so many of one service, that a slow registry holds up nobody else."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Job = Callable[[], None]


class Pool:
    """Runs jobs; those of one service wait in their own queue."""

    def __init__(self, workers: int, per_service: int) -> None:
        self._per_service = per_service
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="snap leg")
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._waiting: dict[str, deque[Job]] = defaultdict(deque)
        self._running: dict[str, int] = defaultdict(int)
        self._is_stopping = False

    def submit(self, service: str, job: Job) -> None:
        """Run a job as soon as its service and a thread are free."""
        with self._lock:
            if self._is_stopping:
                return
            if self._running[service] >= self._per_service:
                self._waiting[service].append(job)
                return
            self._running[service] += 1
            self._threads.submit(self._run, service, job)

    def _run(self, service: str, job: Job) -> None:
        try:
            job()
        finally:
            with self._lock:
                waiting = self._waiting[service]
                if waiting and not self._is_stopping:
                    self._threads.submit(self._run, service, waiting.popleft())
                else:
                    self._running[service] -= 1
                    self._idle.notify_all()

    def stop(self, grace_s: float) -> None:
        """Begin nothing more, and give what runs some time to end."""
        with self._lock:
            self._is_stopping = True
            self._waiting.clear()
            self._idle.wait_for(lambda: not any(self._running.values()), grace_s)
        self._threads.shutdown(wait=False, cancel_futures=True)
