"""The land cadastre, declared."""

from __future__ import annotations

from registry_adapters.cadastre.model import (
    HolderQuestion,
    ParcelAnswer,
    ParcelQuestion,
    ParcelsAnswer,
)
from registry_adapters.cadastre.operations import find_by_number, find_of_holder, subjects_of
from registry_adapters.cadastre.seed import fill
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.registry import Registry

registry = Registry(
    name="cadastre",
    title="Land cadastre",
    doc="Land parcels, rights in them, their normative valuation and boundaries. Synthetic data.",
    service_name="LandCadastre",
    migrations="registry_adapters.migrations.cadastre",
    fill=fill,
    subjects_of=subjects_of,
    purposes="registry_adapters.cadastre:purposes.toml",
)


@registry.operation("GetParcel", "GET /parcels/{cadastral_number}")
def get_parcel(asked: ParcelQuestion, call: Call) -> ParcelAnswer:
    """Find a parcel by its cadastral number.

    Parcels that were divided, merged or cancelled are found too, with what became of them.
    """
    return find_by_number(asked, call)


@registry.operation("FindParcels", "GET /parcels")
def find_parcels(asked: HolderQuestion, call: Call) -> ParcelsAnswer:
    """Find the parcels in which a person or organisation has a right.

    Give exactly one of RNOKPP, EDRPOU code and document; nothing held is an answer.
    """
    return find_of_holder(asked, call)
