"""A collection object through which Chroma builds no embedding function that a database names."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import chromadb


def unread(collection: chromadb.Collection) -> chromadb.Collection:
    """The same collection through another object, which remembers neither schema nor function.

    Chroma (1.5.9) rebuilds what the schema names at every write, with the options that are stored
    there, also where vectors are given: a model's own code, if the database says so. Without
    vectors a write through this object is refused.
    """
    other = copy.copy(collection)
    model = copy.copy(vars(collection)["_model"])
    model.serialized_schema = None
    model.configuration_json = {**model.configuration_json, "embedding_function": None}
    vars(other).update(_model=model, _embedding_function=None)
    return other
