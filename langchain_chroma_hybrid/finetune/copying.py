"""The records of a collection under another model, in memory: to be measured before a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.finetune.queries import passages_of
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

_PAGE = 512


@known_keywords
def embedded_copy(store: Chroma, embeddings: Embeddings) -> HybridChroma:
    """A store in memory with the records that have a text, embedded anew.

    The lexical half is made with the settings of `store`, if it is a `HybridChroma`. A cache of
    `embeddings` saves that `migrate` embeds the same once more.

    Args:
        store: the collection; nothing is changed.
        embeddings: the new model.

    Returns:
        A store; delete its collection when it has served.
    """
    config = getattr(store, "lexical_config", None)
    own = {} if config is None else {"analyzer": config.analyzer,
                                     "lexical_fields": config.lexical_fields}  # fmt: skip
    copy = HybridChroma(
        f"copy-{uuid4().hex}",
        embeddings,
        collection_configuration={"hnsw": {"space": "cosine"}},
        **own,
    )
    found = list(passages_of(store, None))
    for start in range(0, len(found), _PAGE):
        part = found[start : start + _PAGE]
        copy.add_texts(
            [each.text for each in part],
            [each.metadata or None for each in part],  # type: ignore[misc]  # Chroma takes None
            [each.id for each in part],
        )
    return copy
