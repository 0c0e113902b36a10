"""What a visitor filled in: texts and small files by field, and what is wrong with them, beside the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request

MAX_FIELDS: Final = 200
MAX_TEXT_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent with a form; its name is what the sender says."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why a field is refused: a text id and its facts."""

    text_id: str
    facts: Mapping[str, object]


@dataclass(slots=True)
class Form:
    """The fields of a form; `refuse` collects what is to be shown beside them."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    errors: dict[str, FieldError] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the first value of a field without outer blanks; empty when it was not sent."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return the first value of a field as it was sent: for passwords."""
        return next(iter(self.values.get(name, ())), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field."""
        return self.values.get(name, ())

    def is_checked(self, name: str) -> bool:
        """Tell whether a checkbox was checked."""
        return name in self.values

    def file(self, name: str) -> Upload | None:
        """Return the file of a field; None when none was chosen."""
        return self.files.get(name)

    def refuse(self, name: str, text_id: str, **facts: object) -> None:
        """Say what is wrong with a field; the first reason stays."""
        self.errors.setdefault(name, FieldError(text_id, facts))

    @property
    def is_good(self) -> bool:
        """Whether nothing was refused."""
        return not self.errors


def form_of_items(items: Iterable[tuple[str, str]]) -> Form:
    """Return the form with these fields."""
    form = Form()
    for count, (name, value) in enumerate(items):
        if count >= MAX_FIELDS:
            break
        form.values[name] = (*form.values.get(name, ()), value[:MAX_TEXT_CHARACTERS])
    return form


def form_of_query(request: Request) -> Form:
    """Return the fields of a form that was sent by GET."""
    return form_of_items(request.query_params.multi_items())


async def read_form(request: Request, *, max_file_bytes: int) -> Form:
    """Read the body of a POST: fields as they are, files into memory."""
    async with request.form(max_files=5, max_fields=MAX_FIELDS, max_part_size=max_file_bytes) as sent:
        texts = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)]
        form = form_of_items(texts)
        for name, value in sent.multi_items():
            if isinstance(value, UploadFile) and value.filename:
                form.files.setdefault(name, Upload(value.filename, await value.read(max_file_bytes)))
    return form
