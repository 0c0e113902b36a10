"""Entries taken out, put in, exchanged, renumbered; the log cut off or rolled back."""

from __future__ import annotations

from gateway.messagelog.completeness.model import Kind
from tests.tampering.superuser import Superuser
from tests.tampering.table import ANEW, Found, recipe
from tests.tampering.untouched import LAST, TAKEN

FAR_AWAY = (Found(Kind.MISSING, 47, 2**62 - 1), Found(Kind.CHAIN, 2**62), Found(Kind.REDATED, 2**62))


@recipe("delete the first that is not archived", Found(Kind.MISSING, 19))
def _(s: Superuser) -> None:
    s.delete(19)


@recipe("delete one in the middle", Found(Kind.MISSING, 28))
def _(s: Superuser) -> None:
    s.delete(28)


@recipe("delete one, and mend the chain over the gap", Found(Kind.MISSING, 28))
def _(s: Superuser) -> None:
    s.delete(28)
    s.rechain()


@recipe("delete a range", Found(Kind.MISSING, 25, 30), on_postgres=True)
def _(s: Superuser) -> None:
    s.delete(25, 30)


@recipe("delete every second", Found(Kind.MISSING, 26), *(Found(Kind.MISSING, n) for n in (28, 30, 32)))
def _(s: Superuser) -> None:
    for number in (26, 28, 30, 32):
        s.delete(number)


@recipe(
    "delete one and renumber the rest",
    Found(Kind.MOVED, 28, 39),
    ANEW,
    Found(Kind.REPLACED, 40),
    Found(Kind.TIMESTAMP, 44),
    deep=True,
)
def _(s: Superuser) -> None:
    s.delete(28)
    s.shift(range(29, LAST + 1), -1)
    s.cover()


@recipe(
    "insert one and renumber the rest",
    Found(Kind.REPLACED, 28),
    ANEW,
    Found(Kind.MOVED, 29, 40),
    Found(Kind.REDATED, 45),
    on_postgres=True,
)
def _(s: Superuser) -> None:
    s.shift(range(LAST, 27, -1), 1)
    s.write_refusal(28)
    s.cover()


@recipe("exchange two neighbours", Found(Kind.MOVED, 26), Found(Kind.MOVED, 27))
def _(s: Superuser) -> None:
    s.swap(26, 27)


@recipe(
    "exchange two far apart, and fit every hash", Found(Kind.MOVED, 26), ANEW, Found(Kind.MOVED, 38), on_postgres=True
)
def _(s: Superuser) -> None:
    s.swap(26, 38)
    s.cover()


@recipe("turn three around, and fit every hash", Found(Kind.MOVED, 26, 27), ANEW, Found(Kind.MOVED, 28))
def _(s: Superuser) -> None:
    s.swap(26, 27)
    s.swap(27, 28)
    s.cover()


@recipe(
    "give one a number far away",
    Found(Kind.MISSING, 28),
    Found(Kind.MISSING, 47, 59),
    Found(Kind.CHAIN, 60),
    Found(Kind.REDATED, 60),
)
def _(s: Superuser) -> None:
    s.move(28, 60)


@recipe("give one a number at the end of all numbers", Found(Kind.MISSING, 28), *FAR_AWAY)
def _(s: Superuser) -> None:
    s.move(28, 2**62)


@recipe("put in an entry below the first number", Found(Kind.DOUBLED, -7))
def _(s: Superuser) -> None:
    s.write_refusal(-7)


@recipe("put an invented entry in the place of another, and fit every hash", Found(Kind.REPLACED, 29), ANEW)
def _(s: Superuser) -> None:
    s.delete(29)
    s.write_refusal(29, "access.invented")
    s.cover()


@recipe("cut the newest part off", Found(Kind.CUT, 31, TAKEN), Found(Kind.CUT, 41, 44), on_postgres=True)
def _(s: Superuser) -> None:
    s.delete(31, LAST)


@recipe("cut the newest part off, and everything that knows of it", Found(Kind.CUT, 31, TAKEN))
def _(s: Superuser) -> None:
    s.delete(31, LAST)
    s.retile()
    s.sql("DELETE FROM checkpoints WHERE size > 30")
    s.sql("UPDATE log_state SET value = 30 WHERE name = 'stamped_through'")


@recipe("cut the newest part off, and let the server go on", Found(Kind.REPLACED, 31, TAKEN), ANEW)
def _(s: Superuser) -> None:
    s.delete(31, LAST)
    for number in range(31, LAST + 1):
        s.write_refusal(number)
    s.cover()


@recipe("cut off what came after the checkpoint", Found(Kind.CUT, 43, 44))
def _(s: Superuser) -> None:
    s.delete(43, LAST)


@recipe("restore yesterday's backup", Found(Kind.CUT, 25, TAKEN), on_postgres=True)
def _(s: Superuser) -> None:
    _restore(s, 24)


@recipe("restore yesterday's backup, and let the server go on", Found(Kind.REPLACED, 25, TAKEN))
def _(s: Superuser) -> None:
    _restore(s, 24)
    for number in range(25, LAST + 1):
        s.write_refusal(number)
    s.rechain()
    s.retile()


@recipe("empty the tables", Found(Kind.CUT, 19, TAKEN), Found(Kind.CUT, 41, 44))
def _(s: Superuser) -> None:
    s.delete(1, LAST)


def _restore(s: Superuser, through: int) -> None:
    s.delete(through + 1, LAST)
    s.retile()
    s.sql("DELETE FROM checkpoints WHERE size > :n", n=through)
    s.sql("DELETE FROM timestamps WHERE id NOT IN (SELECT timestamp_id FROM record_timestamps)")
    s.sql("UPDATE log_state SET value = :n WHERE name = 'stamped_through'", n=through)
