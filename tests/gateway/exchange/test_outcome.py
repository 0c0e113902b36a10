from __future__ import annotations

import gc
import weakref

from gateway.exchange.outcome import let_go


class Held:
    pass


def refused(held: Held) -> None:
    try:
        raise OSError("the cause")
    except OSError as cause:
        raise ValueError("the failure") from cause


def test_failure_that_is_let_go_keeps_nothing_alive() -> None:
    held = Held()
    seen = weakref.ref(held)
    kept: list[Exception] = []
    try:
        refused(held)
    except ValueError as failure:
        kept.append(failure)
    gc.disable()
    try:
        del held
        assert seen() is not None
        let_go(kept[0])
        assert seen() is None
    finally:
        gc.enable()


def test_no_failure_is_let_go_too() -> None:
    let_go(None)
