"""What the citizen's pages work with, and the few questions that all of them ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from starlette.requests import Request

from gateway.runtime.clock import Clock
from gateway.runtime.console.formats import zone_named
from gateway.runtime.console.forms import Form
from gateway.runtime.console.pages import PageError, open_page, visitor_of
from registry_adapters.citizen.corrections import Corrections
from registry_adapters.citizen.gathering import Gathering
from registry_adapters.citizen.model import ONESELF, Citizen, Subject
from registry_adapters.citizen.settings import CitizenSettings
from registry_adapters.citizen.sign_in import CitizenSignIn
from registry_adapters.sdk.client import XRoadClient


@dataclass(frozen=True, slots=True)
class CitizenDeps:
    """The parts of one running site."""

    settings: CitizenSettings
    clock: Clock
    sign_in: CitizenSignIn
    client: XRoadClient
    gathering: Gathering
    corrections: Corrections

    def today(self) -> date:
        """Return the day it is where the people live."""
        return self.clock.now().astimezone(zone_named(self.settings.zone)).date()

    def citizen_of(self, request: Request) -> Citizen:
        """Return who is signed in."""
        citizen = self.sign_in.find(visitor_of(request).secret)
        if citizen is None:  # signed out in another window meanwhile
            raise PageError(403, "citizen.signed_out_meanwhile")
        return citizen


def language_of(request: Request) -> str:
    """Return the language the visitor reads."""
    return open_page(request.scope).language


def subject_of(citizen: Citizen, form: Form) -> Subject:
    """Return the person a form is about: one of those the session speaks for, by number, else oneself."""
    chosen = form.text("who")
    subject = citizen.subject(int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 6 else -1)
    if chosen and subject is None:
        raise PageError(404, "citizen.no_such_person")
    return subject or citizen.subjects[ONESELF]
