"""Ukrainian identifiers: formats, check digits, and what they say about a person.

Everything is a string, leading zeros are kept. A wrong check digit is a flaw to tell, not a reason to
refuse a question: registries hold such numbers. Our own write paths do refuse them.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

_RNOKPP_EPOCH: Final = date(1899, 12, 31)
_RNOKPP_WEIGHTS: Final = (-1, 5, 7, 9, 4, 6, 10, 5, 7)
_UNZR_WEIGHTS: Final = (7, 3, 1) * 4  # ICAO 9303 part 3, 4.9
_UNZR: Final = re.compile(r"[0-9]{8}-[0-9]{5}")
_RNOKPP: Final = re.compile(r"[0-9]{10}")
_EDRPOU: Final = re.compile(r"[0-9]{8}")
_ID_CARD: Final = re.compile(r"[0-9]{9}")
_BOOKLET: Final = re.compile(r"([А-ЩЮЯЬІЇЄҐ]{2})[ №]*([0-9]{6})")
_KATOTTG: Final = re.compile(r"UA[0-9]{17}")
_CADASTRAL_NUMBER: Final = re.compile(r"[0-9]{10}:[0-9]{2}:[0-9]{3}:[0-9]{4}")
_CADASTRAL_DIGITS: Final = re.compile(r"[0-9]{19}")
# Latin letters that look like Ukrainian capitals, as typed on the wrong keyboard layout.
_LOOK_ALIKES: Final = str.maketrans("ABCEHIKMOPTX", "АВСЕНІКМОРТХ")


class Sex(StrEnum):
    """Sex as registries write it."""

    FEMALE = "female"
    MALE = "male"


class Flaw(StrEnum):
    """What is wrong with an identifier."""

    FORMAT = "format"
    DATE = "date"
    CHECK_DIGIT = "check_digit"


class DocumentKind(StrEnum):
    """The two passports of a citizen."""

    ID_CARD = "id_card"
    BOOKLET = "booklet"


def unzr_check_digit(digits: str) -> int:
    """Return the last digit of a UNZR for its first twelve (birth date and serial number)."""
    return sum([int(digit) * weight for digit, weight in zip(digits, _UNZR_WEIGHTS, strict=True)]) % 10


def build_unzr(birth_date: date, serial: int) -> str:
    """Return the UNZR of the `serial`-th (1 to 9999) person born on a day."""
    if not 1 <= serial <= 9999:
        raise ValueError(f"UNZR serial {serial} is not within 1 and 9999")
    born = f"{birth_date:%Y%m%d}"
    return f"{born}-{serial:04d}{unzr_check_digit(f'{born}{serial:04d}')}"


def flaw_of_unzr(text: str) -> Flaw | None:
    """Return the first flaw of a UNZR, or None."""
    if not _UNZR.fullmatch(text):
        return Flaw.FORMAT
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return Flaw.DATE
    return None if unzr_check_digit(text[:8] + text[9:13]) == int(text[13]) else Flaw.CHECK_DIGIT


def birth_date_of_unzr(text: str) -> date:
    """Return the birth date that a UNZR without flaw of format or date begins with."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def rnokpp_check_digit(digits: str) -> int:
    """Return the last digit of an RNOKPP for its first nine."""
    return sum([int(digit) * weight for digit, weight in zip(digits, _RNOKPP_WEIGHTS, strict=True)]) % 11 % 10


def build_rnokpp(birth_date: date, sex: Sex, serial: int) -> str:
    """Return the RNOKPP of the `serial`-th (0 to 4999) man or woman born on a day."""
    days = (birth_date - _RNOKPP_EPOCH).days
    if not 0 <= serial <= 4999 or not 0 <= days <= 99999:
        raise ValueError(f"RNOKPP serial {serial} or day {days} is out of range")
    digits = f"{days:05d}{serial * 2 + (sex is Sex.MALE):04d}"
    return f"{digits}{rnokpp_check_digit(digits)}"


def flaw_of_rnokpp(text: str) -> Flaw | None:
    """Return the first flaw of an RNOKPP, or None."""
    if not _RNOKPP.fullmatch(text):
        return Flaw.FORMAT
    return None if rnokpp_check_digit(text[:9]) == int(text[9]) else Flaw.CHECK_DIGIT


def birth_date_of_rnokpp(text: str) -> date:
    """Return the birth date an RNOKPP counts from 31 December 1899."""
    return _RNOKPP_EPOCH + timedelta(days=int(text[:5]))


def sex_of_rnokpp(text: str) -> Sex:
    """Return the sex an RNOKPP says in its ninth digit."""
    return Sex.MALE if int(text[8]) % 2 else Sex.FEMALE


def edrpou_check_digit(digits: str) -> int:
    """Return the last digit of an EDRPOU code for its first seven."""
    shifted = 3000000 <= int(digits) < 6000000
    weights = (7, 1, 2, 3, 4, 5, 6) if shifted else (1, 2, 3, 4, 5, 6, 7)
    for extra in (0, 2):
        rest = sum(int(digit) * (weight + extra) for digit, weight in zip(digits, weights, strict=True)) % 11
        if rest < 10:
            return rest
    return 0


def flaw_of_edrpou(text: str) -> Flaw | None:
    """Return the first flaw of an EDRPOU code, or None. Test networks use codes that fail it."""
    if not _EDRPOU.fullmatch(text):
        return Flaw.FORMAT
    return None if edrpou_check_digit(text[:7]) == int(text[7]) else Flaw.CHECK_DIGIT


def flaw_of_katottg(text: str) -> Flaw | None:
    """Return the flaw of a KATOTTG code, or None; it has no check digit."""
    return None if _KATOTTG.fullmatch(text) else Flaw.FORMAT


def normalise_document(text: str) -> tuple[DocumentKind, str] | None:
    """Return kind and number of a passport as registries store it, or None if it is neither.

    An ID card has nine digits. A booklet is two Ukrainian letters, a space and six digits; small
    letters, Latin look-alikes, a number sign and missing or doubled spaces are forgiven.
    """
    compact = " ".join(text.split()).upper()
    digits = compact.replace(" ", "")
    if _ID_CARD.fullmatch(digits):
        return DocumentKind.ID_CARD, digits
    booklet = _BOOKLET.fullmatch(compact.translate(_LOOK_ALIKES))
    return (DocumentKind.BOOKLET, f"{booklet[1]} {booklet[2]}") if booklet else None


def normalise_cadastral_number(text: str) -> str | None:
    """Return a parcel's number as the cadastre stores it, or None if it is none.

    Settlement (ten digits of the old codifier), zone, quarter and parcel stand between colons. Spaces anywhere
    are forgiven, and so are colons left out altogether; it has no check digit.
    """
    compact = "".join(text.split())
    if _CADASTRAL_DIGITS.fullmatch(compact):
        compact = f"{compact[:10]}:{compact[10:12]}:{compact[12:15]}:{compact[15:]}"
    return compact if _CADASTRAL_NUMBER.fullmatch(compact) else None
