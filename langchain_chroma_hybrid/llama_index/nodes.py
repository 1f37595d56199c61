"""Nodes as records and back, in the layout that `ChromaVectorStore` writes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from llama_index.core.schema import (
    BaseNode,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.utils import (
    legacy_metadata_dict_to_node,
    metadata_dict_to_node,
    node_to_metadata_dict,
)

from langchain_chroma_hybrid.core.explanation import CONTEXT_KEY, EXPLAIN_KEY, explanation_of
from langchain_chroma_hybrid.core.values import LLAMA_NODE, OWN_KEYS
from langchain_chroma_hybrid.engine.chroma.rows import (
    OF_SEVERAL,
    Rows,
    listed,
    rows_of,
    with_vectors,
)
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.search import Hit, SearchResult
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.handle import CollectionHandle

CONTENT, NODE_TYPE = LLAMA_NODE, "_node_type"
DOCUMENT_ID = "document_id"
_SOURCES = (DOCUMENT_ID, "doc_id", "ref_doc_id")
_EXCLUDED = ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
_NO_SOURCE = "None"  # what LlamaIndex writes for it

_log = logging.getLogger(__name__)


def checked(nodes: Iterable[BaseNode]) -> list[BaseNode]:
    """Several nodes.

    Raises:
        InvalidArgumentError: it is something else.
    """
    several = listed("nodes", nodes, "several nodes")
    for i, node in enumerate(several):
        if not isinstance(node, BaseNode):
            raise InvalidArgumentError.of_kind(f"nodes[{i}]", node, "a LlamaIndex node")
    return several


def rows_of_nodes(nodes: Sequence[BaseNode], *, flat: bool) -> Rows:
    """Rows without vectors as `ChromaVectorStore` writes them, checked as a whole.

    Raises:
        InvalidArgumentError: what cannot be stored, or an id that comes twice.
    """
    texts = [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]
    metadatas = [_metadata(node, flat=flat) for node in nodes]
    return rows_of(texts, metadatas, [node.node_id for node in nodes])


def without_vector(nodes: Sequence[BaseNode]) -> list[str]:
    """What is to be embedded of the nodes that have no embedding, in their order."""
    return [n.get_content(metadata_mode=MetadataMode.EMBED) for n in nodes if n.embedding is None]


def embedded_text(record: Record) -> str:
    """What LlamaIndex embeds of the node that a record holds: the text with some metadata."""
    return NodeReader().node(record).get_content(metadata_mode=MetadataMode.EMBED)


def complete(given: Rows, nodes: Sequence[BaseNode], made: Sequence[Sequence[float]]) -> Rows:
    """The rows with the nodes' vectors; `made` are those of the nodes that had none.

    Raises:
        EmbeddingError: not one finite vector of one length for each.
    """
    if len(made) != sum(node.embedding is None for node in nodes):
        raise EmbeddingError.of("embed_model", f"{len(made)} vectors", "one for each text")
    others = iter(made)
    own = [next(others) if node.embedding is None else node.embedding for node in nodes]
    return with_vectors(given, own) if nodes else given


def _metadata(node: BaseNode, *, flat: bool) -> dict[str, Any]:
    try:
        metadata = node_to_metadata_dict(_storable(node), remove_text=True, flat_metadata=flat)
    except ValueError as error:
        expected = "a str, int, float or None under each key"
        place = f"metadata of {node.node_id}"
        raise InvalidArgumentError.of(place, str(error), expected) from error
    return {key: "" if value is None else value for key, value in metadata.items()}


def _storable(node: BaseNode) -> BaseNode:
    """Without what a retriever noted in it for one query."""
    if not any(key.startswith(OWN_KEYS) for key in node.metadata):
        return node
    if CONTEXT_KEY in node.metadata:
        place = f"metadata of {node.node_id}"
        raise InvalidArgumentError.of_kind(place, node.metadata[CONTEXT_KEY], OF_SEVERAL)
    own = {key: value for key, value in node.metadata.items() if not key.startswith(OWN_KEYS)}
    lists = {
        name: [key for key in getattr(node, name) if not key.startswith(OWN_KEYS)]
        for name in _EXCLUDED
    }
    return node.model_copy(update={"metadata": own, **lists})


class NodeReader:
    """Makes nodes of records. What it cannot read it warns of once."""

    def __init__(self) -> None:
        self._warned = False

    def node(self, record: Record) -> BaseNode:
        """The node that was written, or one from text and metadata where there was none.

        A record with a picture's place and no node is an `ImageNode`, one of sound or video a
        `Node` with its `audio_resource` or `video_resource`; nothing is opened.
        """
        content = record.metadata.get(CONTENT)
        if content is None:
            return _early(record) or _plain(record)
        try:
            if not (isinstance(content, str) and '"id_"' in content):
                raise ValueError(content)  # LlamaIndex would make an empty node of it
            node = metadata_dict_to_node(dict(record.metadata), text=record.text)
        except Exception as error:  # noqa: BLE001  # whatever somebody wrote there
            self._warn(record, error)
            return _rebuilt(record)
        node.id_ = record.id
        return node

    def shown(self, hit: Hit, notes: Mapping[str, Any] | None = None) -> BaseNode:
        """A hit's node with the text of its context, and with what else is noted for one query."""
        node = self.node(hit.record)
        added = dict(notes or {})
        if hit.context:
            node.set_content(hit.passage)
            added[CONTEXT_KEY] = [record.id for record in hit.context]
        if added:
            node.metadata |= added
            # For people: neither a prompt nor a vector is made of it.
            for keys in _EXCLUDED:
                setattr(node, keys, [*getattr(node, keys), *added])
        return node

    def with_score(
        self, hit: Hit, result: SearchResult, score: float, *, explain: bool
    ) -> NodeWithScore:
        """A hit as LlamaIndex' retrievers return it; `explain` adds each leg's view."""
        notes = {EXPLAIN_KEY: explanation_of(hit, result)} if explain else {}
        return NodeWithScore(node=self.shown(hit, notes), score=score)

    def _warn(self, record: Record, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            message = "%s of %r cannot be read (%s): nodes like it are made of text and metadata"
            _log.warning(message, CONTENT, record.id, type(error).__name__)


def relevance(hit: Hit) -> float:
    """The score of a result, 0..1: of a request that asks for the relevance."""
    return hit.relevance or 0.0


def _early(record: Record) -> TextNode | None:
    """A node as LlamaIndex wrote it before it wrote whole nodes; None if it is none."""
    if not isinstance(record.metadata.get("relationships"), str):
        return None
    try:
        metadata, info, relationships = legacy_metadata_dict_to_node(dict(record.metadata))
        return TextNode(
            id_=record.id,
            text=record.text or "",
            metadata=metadata,
            start_char_idx=info.get("start"),
            end_char_idx=info.get("end"),
            relationships=relationships,
        )
    except Exception:  # noqa: BLE001  # metadata of that name
        return None


def _plain(record: Record) -> BaseNode:
    """A record that LlamaIndex did not write."""
    metadata: dict[str, Any] = dict(record.metadata)
    if record.uri is None or record.uri.startswith("data:"):
        return TextNode(id_=record.id, text=record.text or "", metadata=metadata)
    if metadata.get("kind") in ("audio", "video"):
        there: dict[str, Any] = {"url" if "://" in record.uri else "path": record.uri}
        words = MediaResource(text=record.text or "")
        its: dict[str, Any] = {f"{metadata['kind']}_resource": MediaResource(**there)}
        return Node(id_=record.id, text_resource=words, extra_info=metadata, **its)
    place = "image_url" if "://" in record.uri else "image_path"
    more: dict[str, Any] = {place: record.uri}
    return ImageNode(id_=record.id, text=record.text or "", metadata=metadata, **more)


def _rebuilt(record: Record) -> TextNode:
    """A node of LlamaIndex' whose content is damaged, from what stands beside it."""
    own = (CONTENT, NODE_TYPE, *_SOURCES)
    metadata = {key: value for key, value in record.metadata.items() if key not in own}
    node = TextNode(id_=record.id, text=record.text or "", metadata=metadata)
    source = record.metadata.get(DOCUMENT_ID)
    if isinstance(source, str) and source != _NO_SOURCE:
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=source)
    return node


def highlighted(handle: CollectionHandle, query: str, node: object) -> list[tuple[int, int]]:
    """Spans `(start, end)` of a node's text, in characters, that words of `query` match."""
    found = node.node if isinstance(node, NodeWithScore) else node
    if not isinstance(query, str):
        raise InvalidArgumentError.of("query", query, "a string")
    if not isinstance(found, BaseNode):
        raise InvalidArgumentError.of_kind("node", node, "a node, or a NodeWithScore")
    return handle.highlight(query, found.get_content(metadata_mode=MetadataMode.NONE))
