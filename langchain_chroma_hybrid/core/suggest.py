"""What somebody may have meant who wrote a name that is not known here."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST = 40  # characters; to look for what is like a long word takes long

# What other libraries call it; the first of the names that is known is the one that is meant.
_NAMES = {
    "k": "top_k topk top_n topn n_results num_results limit size max_results n",
    "filter": "where filters metadata_filter where_filter pre_filter expr metadata",
    "where": "filter filters metadata_filter",
    "score_threshold": "threshold min_score similarity_threshold relevance_threshold min_relevance",
    "mode": "search_mode query_type method strategy retrieval_mode",
    "weights": "leg_weights hybrid_weights",
    "c": "rrf_k k_rrf rrf_c rank_constant rrf_constant",
    "fusion": "fusion_method fusion_type fusion_algorithm merge",
    "analyzer": "language stemmer tokenizer preprocess_func lang stop_words",
    "embedding_function": "embedding embeddings embedder embed embedding_model model encoder",
    "embedding": "embedding_function embeddings embedding_model model",
    "persist_directory": "path directory persist_dir persist_path db_path folder persist",
    "collection_name": "collection name index_name",
    "vectorstore": "store vector_store chroma db",
    "reranker": "rerank re_ranker compressor base_compressor cross_encoder",
    "lambda_mult": "lambda_ lambda_param mmr_lambda diversity",
    "dedupe_key": "dedup dedupe dedup_key unique unique_key distinct",
    "group_by": "group groupby group_key group_field",
    "fetch_k": "prefetch prefetch_k num_candidates depth",
    "lexical_fields": "fields boosts text_fields search_fields field_boosts",
    "lexical": "bm25 bm25_index lexical_index index",
    "lexical_directory": "bm25_directory index_directory index_path",
    "where_document": "document_filter where_documents document",
    "texts": "documents docs text",
    "metadatas": "metadata",
    "query_syntax": "syntax",
    "deep": "full",
    "base_filter": "fixed_filter tenant_filter",
}
_MEANT = {
    other: [name for name, others in _NAMES.items() if other in others.split()]
    for others in _NAMES.values()
    for other in others.split()
}
_SHARES = "weights=(lexical, vector)"
# Where another name is not enough; what has to be known for the words to be of use.
_WORDS = {
    "alpha": ("weights", "weights=(1 - alpha, alpha)"),
    **dict.fromkeys(
        ("bm25_weight", "lexical_weight", "keyword_weight", "sparse_weight", "vector_weight",
         "dense_weight", "semantic_weight", "text_weight"),
        ("weights", _SHARES),
    ),
    "hybrid": ("mode", "nothing: hybrid is the default, see mode"),
    "search_type": ("mode", "nothing: hybrid is the default, see mode"),
    "search_kwargs": ("k", "k=, filter= and the others themselves"),
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
    "degrade": "ignore skip warn continue pass",
    "raise": "error fail strict",
}
_MEANT_VALUE = {other: value for value, others in _VALUES.items() for other in others.split()}


def in_place_of(name: str, known: Collection[str]) -> str:
    """What to write in place of an argument that is not among the `known`; empty if unknown."""
    needs, words = _WORDS.get(name, ("", ""))
    if needs in known:
        return words
    meant = [other for other in _MEANT.get(name, ()) if other in known]
    return f"{meant[0]}=" if meant else _quoted(nearest(name, known), "=")


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


def _quoted(word: str, end: str) -> str:
    return f"{word}{end}" if word else ""
