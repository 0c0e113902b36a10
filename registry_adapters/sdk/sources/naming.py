"""Names of fields and types from the names that people give to columns.

A field's name is lower case Latin with underscores, since it becomes a JSON name, an XML element and
a path parameter. Ukrainian letters are written as passports write them (Cabinet resolution 55 of
27.01.2010): `Номер свідоцтва` becomes `nomer_svidotstva`.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans({
    "а": "a", "б": "b", "в": "v", "г": "h", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ж": "zh", "з": "z", "и": "y",
    "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s",
    "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "iu", "я": "ia",
})  # fmt: skip
_FIRST_LETTERS: Final = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
_SILENT: Final = re.compile("[ьʼ'’`]")
_INITIAL: Final = re.compile(r"\b[єїйюя]")


def field_name(said: str) -> str:
    """Return the field's name for a column's; empty when nothing of it can be used."""
    text = _SILENT.sub("", unicodedata.normalize("NFC", said).lower()).replace("зг", "zgh")
    latin = _INITIAL.sub(lambda found: _FIRST_LETTERS[found.group()], text).translate(_LETTERS)
    name = re.sub(r"[^a-z0-9]+", "_", unicodedata.normalize("NFKD", latin).lower()).strip("_")
    if name[:1].isdigit():
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def type_name(said: str) -> str:
    """Return the name of a type: `my kennels` becomes `MyKennels`."""
    return "".join(word[:1].upper() + word[1:] for word in field_name(said).split("_"))
