"""What somebody may have meant who wrote a name that is not known here."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST = 40  # characters; to look for what is like a long word takes long

# What other libraries call it; the first of the names that is known is the one that is meant.
_NAMES = {
    "k": "top_k similarity_top_k topk top_n topn n_results num_results limit size max_results n",
    "filter": "where filters metadata_filter where_filter pre_filter expr metadata",
    "where": "filter filters metadata_filter",
    "score_threshold": "threshold min_score similarity_threshold relevance_threshold min_relevance",
    "mode": (
        "search_mode vector_store_query_mode query_mode query_type method strategy retrieval_mode"
    ),
    "weights": "leg_weights hybrid_weights",
    "c": "rrf_k k_rrf rrf_c rank_constant rrf_constant",
    "fusion": "fusion_method fusion_type fusion_algorithm merge",
    "analyzer": "language stemmer tokenizer preprocess_func lang stop_words",
    "embedding_function": "embedding embeddings embedder embed embedding_model model encoder",
    "sparse_embedding_function": "sparse_function sparse_ef sparse_embeddings sparse_embedding",
    "embedding": "embedding_function embeddings embedding_model model",
    "persist_directory": "path directory persist_dir persist_path db_path folder persist",
    "collection_name": "collection name index_name namespace",
    "vectorstore": "store vector_store chroma db",
    "reranker": "rerank re_ranker compressor base_compressor cross_encoder",
    "lambda_mult": "lambda_ lambda_param mmr_lambda diversity",
    "dedupe_key": "dedup dedupe dedup_key unique unique_key distinct",
    "group_by": "group groupby group_key group_field",
    "fetch_k": "sparse_top_k prefetch prefetch_k num_candidates depth",
    "lexical_fields": "fields boosts text_fields search_fields field_boosts",
    "lexical": "bm25 bm25_index lexical_index index",
    "lexical_directory": "bm25_directory index_directory index_path",
    "where_document": "document_filter where_documents document",
    "texts": "documents docs text",
    "metadatas": "metadata",
    "query_syntax": "syntax",
    "deep": "full",
    "base_filter": "fixed_filter tenant_filter",
    "similarity_top_k": "k top_k topk n_results limit",
    "filters": "filter where metadata_filter",
    "embed_model": "embedding_function embedding embeddings embedding_model model",
    "persist_dir": "persist_directory path directory db_path",
    "chroma_collection": "collection vectorstore vector_store client",
}
_MEANT = {
    other: [name for name, others in _NAMES.items() if other in others.split()]
    for others in _NAMES.values()
    for other in others.split()
}
_SHARES = "weights=(lexical, vector)"
# Where a name that is known elsewhere belongs.
_DOORS = {
    **dict.fromkeys(
        ("analyzer", "lexical_fields", "lexical", "lexical_directory", "lock_timeout", "sync",
         "max_age", "backfill", "progress", "writers", "check_rate", "on_model_change",
         "embedding_function", "persist_directory", "collection_name", "collection_metadata",
         "client", "host", "port", "collection_configuration", "relevance_score_fn",
         "trust_stored_models", "sparse_embedding_function"),
        "where the store is made, or from_vectorstore is called",
    ),
    **dict.fromkeys(
        ("base_filter", "base_where_document", "reranker", "score_key", "extra_retrievers",
         "candidates", "explain"),
        "in as_retriever, or where a retriever is made",
    ),
    "lambda_mult": "in max_marginal_relevance_search, or in as_retriever",
    **dict.fromkeys(
        ("k", "filter", "where_document", "score_threshold", "dedupe_key", "group_by",
         "group_limit", "search_kwargs"),
        "in a search, or in as_retriever",
    ),
    "texts": "in add_texts, or in from_texts",
    "documents": "in add_documents, or in from_documents",
    **dict.fromkeys(("ids", "include"), "in get"),
}  # fmt: skip
# Where another name is not enough; what has to be known for the words to be of use.
_WORDS = {
    "alpha": ("weights", "weights=(1 - alpha, alpha)"),
    **dict.fromkeys(
        ("bm25_weight", "lexical_weight", "keyword_weight", "sparse_weight", "vector_weight",
         "dense_weight", "semantic_weight", "text_weight"),
        ("weights", _SHARES),
    ),
    "hybrid": ("mode", "nothing: hybrid is the default, see mode"),
    "search_type": ("mode", "nothing: hybrid is the default, see mode; lambda_mult makes mmr"),
    "search_kwargs": ("k", "k=, filter= and the others themselves"),
    **dict.fromkeys(
        ("space", "metric", "distance", "distance_metric"),
        ("hnsw", "{'hnsw': {'space': ...}}"),
    ),
    **dict.fromkeys(
        ("k1", "b", "bm25_params", "bm25_variant"),
        ("lexical", "lexical=RankBM25Index(k1=..., b=...)"),
    ),
    **dict.fromkeys(
        ("return_scores", "with_scores", "include_scores", "return_score"),
        ("filter", "explain(query), whose hits have scores"),
    ),
}  # fmt: skip
_VALUES = {
    "lexical": "bm25 keyword keywords sparse fulltext full_text text words fts",
    "vector": "dense semantic similarity embedding embeddings vectors knn",
    "hybrid": "both all auto default mixed",
    "two_step": "rerank twostep two-step",
    "min_max": "minmax min-max linear weighted convex relative_score relativescore normalized",
    "three_sigma": "dbsf z_score zscore distribution",
    "rrf": "reciprocal reciprocal_rank reciprocal_rank_fusion rank",
    "simple": "lucene advanced boolean query_string",
    "plain": "none raw",
    "$eq": "== = eq equals is",
    "$ne": "!= <> ne neq $neq not_equal",
    "$gt": "> gt greater_than",
    "$gte": ">= gte ge $ge $min",
    "$lt": "< lt less_than",
    "$lte": "<= lte le $le $max",
    "$in": "in any_of $any",
    "$nin": "nin not_in $not_in notin $notin",
    "degrade": "ignore skip warn continue pass",
    "raise": "error fail strict",
}
_MEANT_VALUE = {other: value for value, others in _VALUES.items() for other in others.split()}


def in_place_of(name: str, known: Collection[str]) -> str:
    """What to do about an argument that is not among the `known`; empty if unknown.

    What else it is called here, where it belongs, or which of the `known` it looks like.
    """
    needs, words = _WORDS.get(name, ("", ""))
    if needs in known:
        return f"write {words}"
    if meant := [other for other in _MEANT.get(name, ()) if other in known]:
        return f"write {meant[0]}="
    if name in _DOORS:
        return f"it belongs {_DOORS[name]}"
    if close := nearest(name, known):
        return f"write {close}="
    elsewhere = [other for other in _MEANT.get(name, ()) if other in _DOORS]
    return f"{elsewhere[0]}= belongs {_DOORS[elsewhere[0]]}" if elsewhere else ""


def meant_value(value: object, choices: Collection[str]) -> str:
    """The choice that was probably meant; empty if none."""
    if not isinstance(value, str):
        return ""
    plain = value.strip().lower()
    meant = _MEANT_VALUE.get(plain, plain)
    return meant if meant in choices else nearest(plain, choices)


def nearest(word: str, known: Collection[str]) -> str:
    """The known word that is most like this one; empty if none is."""
    if len(word) > _LONGEST:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else ""
