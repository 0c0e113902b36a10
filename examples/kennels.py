"""A register kept in a CSV file, as SOAP and REST."""

from pathlib import Path

from registry_adapters.sdk import Registry, TableFile

HERE = Path(__file__).parent

kennels = TableFile(HERE / "kennels.csv", key="number")
registry = Registry("kennels", title="Register of kennels")
registry.lookup("GetKennel", kennels, by="number", person="owner_rnokpp", path="GET /kennels/{number}")
registry.search("FindKennels", kennels, by=("owner_rnokpp", "city"), person="owner_rnokpp", path="GET /kennels")
