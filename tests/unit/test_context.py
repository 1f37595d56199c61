"""`expand`: results with the records around them, or with the one that they are a part of."""

from __future__ import annotations

import random

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.core.context import Neighbours, Parent, joined
from langchain_chroma_hybrid.errors import InvalidArgumentError
from tests.helpers import MODES, make_store

ALL = 10_000


def contexts(result):
    return {hit.id: [record.id for record in hit.context] for hit in result.hits}


def book(store, name="a", chapters=12, step=1, **more):
    """Chunks in order, of which the numbers 3, 4 and 9 speak of pumps."""
    words = ["a pump" if n in (3, 4, 9) else "nothing" for n in range(chapters)]
    store.add_texts(
        [f"{name} {n} has {word}" for n, word in enumerate(words)],
        [{"source": name, "start_index": n * step, **more} for n in range(chapters)],
        [f"{name}{n}" for n in range(chapters)],
    )


@pytest.fixture
def store(empty):
    book(empty)
    return empty


@pytest.mark.parametrize("step", [1, 7, 800, 40_000, 86_400_000, 30 * 86_400 * 10**9])
@pytest.mark.parametrize("n", [1, 2, 50, 10**400])
def test_neighbours_are_next_by_position_whatever_the_gaps(empty, step, n):
    book(empty, step=step)
    book(empty, "b", step=step)
    result = empty.explain("a 9 pump", k=1, mode="lexical", expand=Neighbours(n=n))
    assert contexts(result) == {"a9": [f"a{i}" for i in range(max(0, 9 - n), min(12, 10 + n))]}


@pytest.mark.parametrize("mode", MODES)
def test_what_overlaps_is_one_passage_of_the_best(store, mode):
    result = store.explain("pump", k=3, mode=mode, expand="neighbours")
    shown = [id_ for ids in contexts(result).values() for id_ in ids]
    assert len(shown) == len(set(shown))
    assert {"a2", "a3", "a4", "a5", "a8", "a9", "a10"} == set(shown)
    assert len(result.hits) == 2


@pytest.mark.parametrize("n", [1, 10**400])
@pytest.mark.parametrize("middle", [0, 0.5])
def test_the_ends_of_all_positions(empty, n, middle):
    positions = [-(2**63), middle, 2**63 - 1]
    for id_, position in enumerate(positions):
        place = {"source": "s", "start_index": position}
        empty.add_texts([f"number {id_} pump"], [place], [str(id_)])
        empty.add_texts(["a true pump"], [{"source": "t", "start_index": position / 7}])
    result = empty.explain("number 1 pump", k=1, mode="lexical", expand=Neighbours(n=n))
    assert contexts(result) == {"1": ["0", "1", "2"]}


def test_a_passage_stands_in_the_order_of_its_source(empty):
    empty.add_texts(
        [f"part {n}: pump" for n in range(12)],
        [{"source": "s", "page": 11 - n} for n in range(12)],
        [f"p{n}" for n in range(12)],
    )
    [hit] = empty.explain("part 5", k=1, expand=Neighbours(n=1, position_key="page")).hits
    assert [record.id for record in hit.context] == ["p6", "p5", "p4"]
    assert hit.passage == "part 6: pump\npart 5: pump\npart 4: pump"


@pytest.mark.parametrize("way", ["filter", "base_filter"])
def test_nothing_is_shown_that_a_filter_hides(empty, way):
    for n in range(9):
        tenant = "mine" if n in (0, 3, 4, 7) else "theirs"
        place = {"source": "s", "start_index": n, "tenant": tenant}
        empty.add_texts([f"number {n} pump"], [place], [f"r{n}"])
    retriever = ChromaHybridRetriever(
        vectorstore=empty, expand=Neighbours(n=2), k=1, **{way: {"tenant": "mine"}}
    )
    [hit] = retriever.search("number 3 pump").hits
    assert [record.id for record in hit.context] == ["r0", "r3", "r4", "r7"]


@pytest.mark.parametrize("base", [{"tenant": "mine"}, {"$and": [{"tenant": "mine"}]}])
def test_a_parent_that_is_hidden_stays_so(empty, base):
    empty.add_texts(["all of the pump"], [{"tenant": "theirs"}], ["whole"])
    empty.add_texts(["a part of it"], [{"tenant": "mine", "parent_id": "whole"}], ["part"])
    retriever = ChromaHybridRetriever(vectorstore=empty, expand="parent", base_filter=base)
    assert [d.page_content for d in retriever.invoke("part")] == ["a part of it"]


def test_parts_of_one_become_it(empty):
    empty.add_texts(["the whole story of pumps"], ids=["whole"])
    parts = [{"parent_id": "whole"}, {"parent_id": "whole"}, {"parent_id": "gone"}, {}]
    empty.add_texts(
        [f"part {n} oil" for n in range(4)],
        [each or {"other": 1} for each in parts],
        [f"p{n}" for n in range(4)],
    )
    result = empty.explain("oil part", mode="lexical", k=4, expand="parent")
    assert [hit.passage for hit in result.hits] == [
        "the whole story of pumps", "part 2 oil", "part 3 oil",
    ]  # fmt: skip
    assert result.notes == (
        "expand: 1 of 4 results have no id under 'parent_id': they stand alone",
    )
    documents = empty.similarity_search("oil part", mode="lexical", k=1, expand="parent")
    assert documents[0].metadata["chroma_hybrid_context"] == ["whole"]


@pytest.mark.parametrize("most", [1, 12, 13, 24, 25, 38, 39, 60, 61, 1000])
def test_a_budget_takes_the_nearest_of_the_best_first(empty, most):
    book(empty)
    asked = Neighbours(n=2, max_characters=most)
    result = empty.explain("a 3 pump", k=2, mode="lexical", expand=asked)
    texts = [record.text for hit in result.hits for record in hit.context]
    own = sum(len(hit.record.text) for hit in result.hits)
    assert sum(map(len, texts)) <= max(most, own + len("a 4 has a pump"))
    assert result.hits[0].id == "a3"
    for hit in result.hits:
        ids = [int(record.id[1:]) for record in hit.context]
        assert ids == list(range(ids[0], ids[-1] + 1))


def test_results_without_a_position_stand_alone(store):
    store.add_texts(["a lone pump"], [{"source": "a"}], ["none"])
    store.add_texts(["a text pump"], [{"source": "a", "start_index": "four"}], ["text"])
    store.add_texts(["a true pump"], [{"source": "a", "start_index": True}], ["true"])
    result = store.explain("pump", k=ALL, mode="lexical", expand="neighbours")
    alone = {hit.id for hit in result.hits if not hit.context}
    assert alone == {"none", "text", "true"}
    [note] = result.notes
    assert note.startswith("expand: 3 of 6 results have no number under 'start_index' or nothing")


@pytest.mark.parametrize("seed", range(12))
def test_neighbours_as_a_plain_loop_finds_them(seed):
    draw = random.Random(seed)  # noqa: S311  # reproducible, no secrets
    store = make_store()
    rows = []
    for n in range(60):
        position = draw.choice([draw.randrange(-40, 40), draw.uniform(-40, 40)])
        source = draw.choice(["a", 1, True, "1"])
        row = {"at": position, "file": source, "tenant": draw.choice("xy")}
        rows.append((f"r{n}", row))
    store.add_texts(["a pump"] * 60, [row for _, row in rows], [id_ for id_, _ in rows])
    n, where = draw.choice([1, 2, 5]), draw.choice([None, {"tenant": "x"}])
    asked = Neighbours(n=n, position_key="at", source_key="file")
    result = store.explain("pump", k=1, filter=where, expand=asked)
    [hit] = result.hits

    def key(id_, row):
        return type(row["file"]), row["file"], row["at"], id_

    seen = [(i, r) for i, r in rows if where is None or r["tenant"] == "x"]
    own = dict(rows)[hit.id]
    same = [(r["at"], i) for i, r in seen if key(i, r)[:2] == key(hit.id, own)[:2]]
    same.sort()
    at = same.index((own["at"], hit.id))
    assert [r.id for r in hit.context] == [i for _, i in same[max(0, at - n) : at + n + 1]]
    store.delete_collection()


@pytest.mark.parametrize(
    ("texts", "whole"),
    [
        ([], ""),
        (["", "a"], "a"),
        (["one", "two"], "one\ntwo"),
        (["the pump is blocked", "pump is blocked and hot"], "the pump is blocked and hot"),
        (["abc", "bcd"], "abc\nbcd"),
        (["0123456789", "0123456789"], "0123456789"),
        (["x 0123456789 0123456789", "0123456789 y"], "x 0123456789 0123456789 y"),
    ],
)
def test_what_chunks_have_in_common_stands_once(texts, whole):
    assert joined(texts) == whole


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Neighbours(n=0), "expand.n"),
        (lambda: Neighbours(n=True), "expand.n"),
        (lambda: Neighbours(position_key=""), "expand.position_key"),
        (lambda: Neighbours(position_key=3), "expand.position_key"),
        (lambda: Neighbours(source_key=""), "expand.source_key"),
        (lambda: Neighbours(max_characters=0), "expand.max_characters"),
        (lambda: Parent(key=None), "expand.key"),
        (lambda: Parent(max_characters="9"), "expand.max_characters"),
    ],
)
def test_arguments(make, name):
    with pytest.raises(InvalidArgumentError, match=name):
        make()


@pytest.mark.parametrize("expand", ["next", 3, True, {"n": 1}, Neighbours])
def test_an_unknown_expansion(store, expand):
    with pytest.raises(InvalidArgumentError, match="expand"):
        store.similarity_search("pump", expand=expand)


@pytest.mark.parametrize(
    ("fetch_k", "lexical", "vector"),
    [({"lexical": 2}, 2, 12), ({"vector": 3}, 3, 3), ({"lexical": 1, "vector": 50}, 1, 12)],
)
def test_depth_of_each_leg(store, fetch_k, lexical, vector):
    legs = {leg.name: leg.hits for leg in store.explain("pump", k=2, fetch_k=fetch_k).legs}
    assert legs == {"lexical": lexical, "vector": vector}


def test_depths_where_results_are_chosen_by_mmr(store):
    depths = {"lexical": 1, "vector": 2}
    by_kwargs = store.as_retriever(search_type="mmr", search_kwargs={"fetch_k": depths, "k": 12})
    by_option = store.as_retriever(search_type="mmr", fetch_k=depths, k=12)
    for retriever in (by_kwargs, by_option):
        assert len(retriever.invoke("pump")) in (2, 3)
        assert len(retriever.invoke("pump", fetch_k=1)) == 1


@pytest.mark.parametrize("fetch_k", [{"lexical": 0}, {"words": 3}, {"vector": "3"}, 0, [3]])
def test_a_depth_that_is_none(store, fetch_k):
    with pytest.raises(InvalidArgumentError, match="fetch_k"):
        store.explain("pump", fetch_k=fetch_k)


@pytest.mark.parametrize("expand", ["neighbours", "parent", Neighbours(n=3, max_characters=40)])
def test_llama_index_shows_the_same(store, expand):
    face = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    pytest.importorskip("llama_index.core")
    store.add_texts(["part of a pump"], [{"parent_id": "a3"}], ["part"])
    own = ChromaHybridRetriever(vectorstore=store, k=4, expand=expand)
    other = face.ChromaHybridRetriever(
        store._collection, similarity_top_k=4, expand=expand, embed_model=store.embeddings
    )
    documents, nodes = own.invoke("pump"), other.retrieve("pump")
    assert [n.text for n in nodes] == [d.page_content for d in documents]
    key = "chroma_hybrid_context"
    assert [n.metadata.get(key) for n in nodes] == [d.metadata.get(key) for d in documents]
    assert any(key in n.metadata for n in nodes)


@pytest.mark.parametrize("mode", ["default", "mmr", "text_search", "hybrid", "semantic_hybrid"])
async def test_a_store_of_llama_index_shows_it_in_every_mode(store, mode):
    face = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    core = pytest.importorskip("llama_index.core")
    model = face.to_llama(store.embeddings)
    other = face.ChromaHybridVectorStore(store._collection, embed_model=model)
    index = core.VectorStoreIndex.from_vector_store(other, embed_model=model)
    retriever = index.as_retriever(
        vector_store_query_mode=mode,
        similarity_top_k=1,
        vector_store_kwargs={"expand": Neighbours(n=2)},
    )
    for nodes in (retriever.retrieve("a 9 pump"), await retriever.aretrieve("a 9 pump")):
        [found] = nodes
        ids = found.node.metadata["chroma_hybrid_context"]
        assert "a9" in ids
        assert len(ids) > 1
        assert found.text == "\n".join(store.get(ids=[id_])["documents"][0] for id_ in ids)
        assert "chroma_hybrid_context" not in found.node.get_content(metadata_mode="llm")
    assert other.get_nodes(["a9"])[0].get_content() == "a 9 has a pump"


def test_conditions_of_both_kinds_hold_for_what_is_shown(store):
    """One that Chroma alone can tell, and one that it has no words for."""
    face = pytest.importorskip("langchain_chroma_hybrid.llama_index")
    types = pytest.importorskip("llama_index.core.vector_stores.types")
    within = types.MetadataFilter(key="source", operator="text_match", value="a")
    retriever = face.ChromaHybridRetriever(
        store._collection,
        similarity_top_k=1,
        filters=types.MetadataFilters(filters=[within]),
        where_document={"$regex": "^a [3-9] "},
        expand=Neighbours(n=2),
        embed_model=store.embeddings,
    )
    [node] = retriever.retrieve("a 4 pump")
    assert node.metadata["chroma_hybrid_context"] == ["a3", "a4", "a5", "a6"]
