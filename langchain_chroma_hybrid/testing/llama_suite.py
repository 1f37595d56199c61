"""What a LlamaIndex vector store that knows words and vectors has to do: subclass it in a test.

```text
class TestMyStore(LlamaStoreSuite):
    @pytest.fixture
    def empty(self):
        return MyStore(...)
```

LlamaIndex ships no such suite. Needs pytest, pytest-asyncio and `llama-index-core`; import it from
`langchain_chroma_hybrid.testing.llama_suite`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

if TYPE_CHECKING:
    from llama_index.core.vector_stores.types import BasePydanticVectorStore

_ROWS = (
    ("n1", "d1", "lorem ipsum", {"author": "King", "year": 1990}, [1.0, 0.0, 0.0]),
    ("n2", "d1", "lorem ipsum", {"author": "Coppola", "year": 1972}, [0.0, 1.0, 0.0]),
    ("n3", "d2", "swift nor easy is the way", {"author": "Curie"}, [0.0, 0.0, 1.0]),
    ("n4", "d3", "never stop questioning", {"author": "Einstein", "year": 1955}, [0.0, 0.6, 0.8]),
)


def some_nodes() -> list[TextNode]:
    """Four nodes of three documents, with vectors of length 3."""
    nodes = [
        TextNode(id_=id_, text=text, metadata=dict(metadata), embedding=vector)
        for id_, _, text, metadata, vector in _ROWS
    ]
    for node, row in zip(nodes, _ROWS, strict=True):
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=row[1])
    return nodes


def by(key: str, value: Any, operator: str = "==", condition: str = "and") -> MetadataFilters:
    """Filters of one condition."""
    part = MetadataFilter(key=key, value=value, operator=FilterOperator(operator))
    return MetadataFilters(filters=[part], condition=FilterCondition(condition))


class LlamaStoreSuite:
    """Override the fixture `empty`: an empty store for vectors of length 3."""

    def test_nodes_come_back_whole(self, empty: BasePydanticVectorStore) -> None:
        """With text, metadata and relationships, by id in the order asked for."""
        assert empty.add(some_nodes()) == ["n1", "n2", "n3", "n4"]
        found = empty.get_nodes(["n3", "unknown", "n1"])
        assert [node.node_id for node in found] == ["n3", "n1"]
        assert found[1].get_content() == "lorem ipsum"
        assert found[1].metadata == {"author": "King", "year": 1990}
        assert found[1].ref_doc_id == "d1"

    async def test_async_twins_do_the_same(self, empty: BasePydanticVectorStore) -> None:
        """Each of them, from an event loop."""
        assert await empty.async_add(some_nodes()) == ["n1", "n2", "n3", "n4"]
        query = VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0], similarity_top_k=1)
        assert (await empty.aquery(query)).ids == ["n1"]
        assert [n.node_id for n in await empty.aget_nodes(["n2"])] == ["n2"]
        await empty.adelete("d1")
        await empty.adelete_nodes(["n3"])
        assert [n.node_id for n in await empty.aget_nodes()] == ["n4"]
        await empty.aclear()
        assert await empty.aget_nodes() == []

    def test_the_nearest_come_first(self, empty: BasePydanticVectorStore) -> None:
        """By vector, similarities falling, `similarity_top_k` of them or all there are."""
        empty.add(some_nodes())
        query = VectorStoreQuery(query_embedding=[0.0, 0.5, 0.8], similarity_top_k=9)
        found = empty.query(query)
        assert (found.ids or [])[:2] == ["n4", "n3"]
        assert len(found.nodes or ()) == 4
        assert found.similarities == sorted(found.similarities or (), reverse=True)

    def test_filters_alone(self, empty: BasePydanticVectorStore) -> None:
        """A query without vector and text gives what passes."""
        empty.add(some_nodes())
        found = empty.query(VectorStoreQuery(filters=by("author", "Curie"), similarity_top_k=1))
        assert found.ids == ["n3"]

    def test_every_filter_operator(self, empty: BasePydanticVectorStore) -> None:
        """In searches and in `get_nodes`."""
        empty.add(some_nodes())
        cases: list[tuple[MetadataFilters, set[str]]] = [
            (by("year", 1972), {"n2"}),
            (by("year", 1972, "!="), {"n1", "n3", "n4"}),
            (by("year", 1955, ">"), {"n1", "n2"}),
            (by("year", 1955, ">", "not"), {"n3", "n4"}),
            (by("author", ["King", "Curie"], "in"), {"n1", "n3"}),
            (by("author", ["King", "Curie"], "nin"), {"n2", "n4"}),
            (by("author", "opp", "text_match"), {"n2"}),
            (by("author", "KING", "text_match_insensitive"), {"n1"}),
            (by("author", "ein", "contains"), {"n4"}),
            (by("year", None, "is_empty"), {"n3"}),
            (by("unknown", "x"), set()),
            (MetadataFilters(filters=[]), {"n1", "n2", "n3", "n4"}),
        ]
        for filters, passing in cases:
            assert {node.node_id for node in empty.get_nodes(filters=filters)} == passing
            query = VectorStoreQuery(
                query_embedding=[1.0, 1.0, 1.0], similarity_top_k=9, filters=filters
            )
            assert set(empty.query(query).ids or ()) == passing

    def test_words_find_words(self, empty: BasePydanticVectorStore) -> None:
        """By text alone; and nothing to fill up with."""
        empty.add(some_nodes())
        for mode in (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE):
            query = VectorStoreQuery(query_str="questioning", similarity_top_k=3, mode=mode)
            assert empty.query(query).ids == ["n4"]

    def test_hybrid_finds_by_both(self, empty: BasePydanticVectorStore) -> None:
        """`alpha` 0 is words alone, 1 is vectors alone."""
        empty.add(some_nodes())

        def ids(alpha: float, k: int) -> list[str]:
            query = VectorStoreQuery(
                query_str="questioning",
                query_embedding=[1.0, 0.0, 0.0],
                similarity_top_k=k,
                mode=VectorStoreQueryMode.HYBRID,
                alpha=alpha,
            )
            return list(empty.query(query).ids or ())

        assert ids(0.0, 3) == ["n4"]
        assert ids(1.0, 1) == ["n1"]
        assert {"n1", "n4"} <= set(ids(0.5, 4))

    def test_what_is_deleted_is_found_no_more(self, empty: BasePydanticVectorStore) -> None:
        """By document, id, filter and altogether, by words and by vectors."""
        empty.add(some_nodes())
        empty.delete("d1")
        assert self._left(empty) == {"n3", "n4"}
        empty.delete_nodes(["n3", "n4"], by("author", "Curie"))
        assert self._left(empty) == {"n4"}
        empty.add(some_nodes())
        empty.delete_nodes(filters=by("year", 1950, ">"))
        assert self._left(empty) == {"n3"}
        empty.clear()
        assert self._left(empty) == set()

    def test_an_id_that_is_there_is_replaced(self, empty: BasePydanticVectorStore) -> None:
        """Text, metadata and vector, for words and for vectors."""
        empty.add(some_nodes())
        empty.add([TextNode(id_="n1", text="zebra", embedding=[0.0, 0.0, 1.0])])
        query = VectorStoreQuery(query_str="zebra", mode=VectorStoreQueryMode.TEXT_SEARCH)
        assert empty.query(query).ids == ["n1"]
        assert len(empty.get_nodes()) == 4

    @staticmethod
    def _left(store: BasePydanticVectorStore) -> set[str]:
        """What is there by vectors, which has to be what is there by words."""
        near = VectorStoreQuery(query_embedding=[1.0, 1.0, 1.0], similarity_top_k=9)
        words = VectorStoreQuery(
            query_str="lorem way questioning",
            similarity_top_k=9,
            mode=VectorStoreQueryMode.TEXT_SEARCH,
        )
        found = set(store.query(near).ids or ())
        assert set(store.query(words).ids or ()) == found
        return found
