r"""What is personal in a message nobody here knows the schema of: by the names of fields, and by the look of values.

Names are compared without case and separators, so `lastName`, `last_name` and `LAST-NAME` are one. A
field that is personal hides all that lies in it. Wherever else a hidden value turns up it is hidden
too: a name stands in a remark as well as in its own field. Hiding too much costs an auditor a reason to be given;
hiding too little cannot be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from gateway.auditing.model import MaskingSettings

MASK: Final = "•••••"
# Shorter values, and years, would turn up everywhere; in their own fields they are hidden all the same.
LEAST_SOUGHT: Final = 4
LEAST_DIGITS_SOUGHT: Final = 6
MOST_ALIKE: Final = 200  # of values that begin alike; above that everything is hidden

# Names of things and places in an office, which are no names of people.
_OF_THINGS: Final = (
    "service|file|type|method|operation|region|status|organi[sz]ation|org|company|brand|model|colou?r|category|product"
    "|registr?y|register|table|column|field|code|system|country|currency|document|doc|kind|form|department|agency|short"
    "|position|state|host|domain|class|package|element|attribute|event|queue|state|role"
)
PERSONAL_NAMES: Final = (
    # who it is
    rf"^(?!.*(?:{_OF_THINGS})name).*name", "surname", "patronym", "initials", "^[flmp]name$", "^pib$", "^fio$", "prizv",
    "^im[iy]?a", "imja", "batkov", "^alias", "прізв", "^ім", "батьков", "^піб$",
    # numbers that name a person
    "unzr", "rnokp", "^ipn", "ipn$", "^inn$", "drfo", "taxp", "taxid", "personalcode", "personcode", "personid",
    "nationalid", "^ssn$", "isikukood", "^tin$", "^idcode$", "subjectid", "sbj", "унзр", "рнокпп", "іпн",
    # documents
    "pass?port", "^pas(?:ser|num)", "serial", "^seri[ae]s?$", "^number$", "^num$", "^nomer", "docnum", "documentnum",
    "docser", "documentser", "certnum", "licen[cs]e", "idcard", "серія", "номер", "паспорт", "посвідч",
    # birth, death, family
    "birth", "born", "narod", "народ", "^dob$", "bdate", "^age$", "died", "death", "citizen", "nationality", "hromad",
    "громад", "^sex$", "gender", "^stat$", "^стать$", "marit", "famil",
    "^(?:mother|father|parent|spouse|wife|husband|child|heir)s?$",
    # where they are, and how to reach them
    "addr", "adres", "адрес", "street", "vul", "вулиц", "building", "budyn", "будин", "house", "apart", "kvart",
    "кварт", "^flat$", "settlement", "village", "^city$", "misto", "district", "raion", "oblast", "^region$", "postal",
    "postcode", "^zip", "residen", "registrplace", "placeof", "location", "koatuu", "katottg", "phone", "telef",
    "телеф", "mobile", "^tel$", "^fax$", "mail", "poshta", "пошт", "contact",
    # what they have and are
    "iban", "account", "rahun", "рахун", "^card", "cardnum", "income", "dohid", "дохід", "salar", "zarpl", "wage",
    "diagnos", "діагн", "disabil", "invalidn", "інвалідн", "photo", "foto", "фото", "portrait", "picture", "biometr",
    "fingerprint", "^vin$", "nreg$", "plate", "cadn", "cadastr", "kadastr", "кадастр",
    "^(?:owner|holder|applicant|payer|beneficiary|deceased|minor)s?$", "password", "secret", "token",
)  # fmt: skip
_WORD: Final = "[А-ЯІЇЄҐ][а-яіїєґА-ЯІЇЄҐ'’ʼ-]{1,40}"
PERSONAL_VALUES: Final = (
    r"(?<!\d)\d{8}-\d{5}(?!\d)",  # UNZR
    r"(?<![\d:.,])\d{10}(?![\d:])",  # RNOKPP
    r"(?<![\d:.,])\d{9}(?![\d:])",  # ID card
    r"(?<!\w)[А-ЯІЇЄҐ]{2}\s?№?\s?\d{6}(?!\d)",  # passport as a booklet
    r"(?<!\w)[A-Z]{2}\s?\d{6}(?!\d)",  # passport for travelling
    r"(?<!\w)[IVX1І]{1,5}-[А-ЯІЇЄҐ]{2}\s?№?\s?\d{6}(?!\d)",  # certificate of birth or marriage
    r"(?<!\w)UA\d{27}(?!\d)",  # IBAN
    r"(?<!\d)(?:\+?38[\s-]?)?\(?0\d{2}[\s)-]{0,2}\d{3}[\s-]?\d{2}[\s-]?\d{2}(?!\d)",  # telephone
    r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}\.[\w-]{2,24}",  # e-mail
    # surname, given name, patronymic
    rf"(?<!\w){_WORD}\s{{1,3}}{_WORD}\s{{1,3}}[А-ЯІЇЄҐ][а-яіїєґА-ЯІЇЄҐ'’ʼ-]{{1,30}}(?:вич|ВИЧ|вна|ВНА)(?!\w)",
    r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{64,}={0,2}",  # another document within this one
)  # fmt: skip
_SEPARATORS: Final = re.compile(r"[\W_]+")
_DOCUMENT: Final = re.compile(r"\s*[<{\[]")


class Rules:
    """The defaults and what the settings add to them, ready to be applied."""

    def __init__(self, settings: MaskingSettings) -> None:
        self.every_value = settings.every_value
        self._names = re.compile("|".join((*PERSONAL_NAMES, *settings.names)), re.IGNORECASE)
        self._shown = frozenset(_plain(name) for name in settings.shown_names)
        self.values = re.compile("|".join((*PERSONAL_VALUES, *settings.values)))
        self.is_personal: Callable[[str], bool] = lru_cache(maxsize=4096)(self._is_personal)

    def _is_personal(self, name: str) -> bool:
        """Tell whether a field of this name says something of a person."""
        plain = _plain(name)
        return plain not in self._shown and self._names.search(plain) is not None


@lru_cache(maxsize=8)
def rules_of(settings: MaskingSettings) -> Rules:
    """Return the rules that settings make."""
    return Rules(settings)


class Veil:
    """Hides what is personal in one message, and remembers what it hid."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._fields: dict[str, None] = {}
        self._sought: dict[str, list[str]] = {}  # by how they begin
        self._seeks_too_much = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields in which something is hidden."""
        return tuple(self._fields)

    def covers(self, name: str) -> bool:
        """Tell whether everything in a field of this name is to be hidden."""
        return self._rules.every_value or self._rules.is_personal(name)

    def hide(self, name: str, value: str, *, is_sought: bool = True) -> str:
        """Return what is shown in the place of a value; white space alone hides nothing."""
        if not value.strip() or value == MASK:
            return value
        self._fields[name] = None
        if is_sought:
            self._seek(value.strip())
        return MASK

    def look(self, name: str, value: str) -> str:
        """Return a value with what looks personal in it hidden."""
        if _DOCUMENT.match(value):
            return self.hide(name, value)  # what lies in it was not taken apart
        return self._rules.values.sub(lambda match: self.hide(name, match[0]), value)

    def look_again(self, text: str) -> str:
        """Return a text with the values that were hidden elsewhere hidden here too."""
        if self._seeks_too_much:
            return MASK if text.strip() else text
        pieces: list[str] = []
        start = position = 0
        while position <= len(text) - LEAST_SOUGHT:
            found = self._find(text, position)
            if found is None:
                position += 1
                continue
            pieces += (text[start:position], MASK)
            start = position = position + len(found)
        return "".join((*pieces, text[start:])) if pieces else text

    def _find(self, text: str, position: int) -> str | None:
        candidates = self._sought.get(text[position : position + LEAST_SOUGHT], ())
        return max((value for value in candidates if text.startswith(value, position)), key=len, default=None)

    def _seek(self, value: str) -> None:
        if len(value) < (LEAST_DIGITS_SOUGHT if value.isdigit() else LEAST_SOUGHT):
            return
        alike = self._sought.setdefault(value[:LEAST_SOUGHT], [])
        if value not in alike:
            alike.append(value)
            self._seeks_too_much = self._seeks_too_much or len(alike) > MOST_ALIKE


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()
