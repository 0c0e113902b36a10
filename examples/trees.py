"""A register kept in a database, of which a view is shown, as SOAP and REST."""

from pathlib import Path

from registry_adapters.sdk import Registry, SqlTable

HERE = Path(__file__).parent

trees = SqlTable(f"sqlite:///{HERE}/trees.db", "standing_trees", key="number")
registry = Registry("trees", title="Register of trees")
registry.lookup("GetTree", trees, by="number", path="GET /trees/{number}")
registry.search("FindTrees", trees, by=("species", "street"), path="GET /trees")
