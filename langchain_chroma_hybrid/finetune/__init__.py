"""A model of your own for a collection of your own; extra `finetune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.finetune.adapter import AdaptedEmbeddings
    from langchain_chroma_hybrid.finetune.adapting import train_adapter
    from langchain_chroma_hybrid.finetune.asking import QueryCosts, ask_for_queries, query_costs
    from langchain_chroma_hybrid.finetune.copying import embedded_copy
    from langchain_chroma_hybrid.finetune.data import DataReport, Split, TrainingData
    from langchain_chroma_hybrid.finetune.examples import Example
    from langchain_chroma_hybrid.finetune.experiment import Experiment
    from langchain_chroma_hybrid.finetune.loading import (
        from_beir,
        from_clicks,
        from_judgements,
        from_llama_index,
        from_pairs,
        from_scored_pairs,
        from_triplets,
    )
    from langchain_chroma_hybrid.finetune.merging import merge_models
    from langchain_chroma_hybrid.finetune.negatives import mine_by_model, mine_negatives
    from langchain_chroma_hybrid.finetune.promotion import Promotion, promote
    from langchain_chroma_hybrid.finetune.queries import make_queries
    from langchain_chroma_hybrid.finetune.training import FineTuned, fine_tune
    from langchain_chroma_hybrid.finetune.verdict import Compared, Verdict

__all__ = [
    "AdaptedEmbeddings",
    "Compared",
    "DataReport",
    "Example",
    "Experiment",
    "FineTuned",
    "Promotion",
    "QueryCosts",
    "Split",
    "TrainingData",
    "Verdict",
    "ask_for_queries",
    "embedded_copy",
    "fine_tune",
    "from_beir",
    "from_clicks",
    "from_judgements",
    "from_llama_index",
    "from_pairs",
    "from_scored_pairs",
    "from_triplets",
    "make_queries",
    "merge_models",
    "mine_by_model",
    "mine_negatives",
    "promote",
    "query_costs",
    "train_adapter",
]

_MODULES = {
    "AdaptedEmbeddings": "adapter",
    "Compared": "verdict",
    "DataReport": "data",
    "Example": "examples",
    "Experiment": "experiment",
    "FineTuned": "training",
    "Promotion": "promotion",
    "QueryCosts": "asking",
    "Split": "data",
    "TrainingData": "data",
    "Verdict": "verdict",
    "ask_for_queries": "asking",
    "embedded_copy": "copying",
    "fine_tune": "training",
    "from_beir": "loading",
    "from_clicks": "loading",
    "from_judgements": "loading",
    "from_llama_index": "loading",
    "from_pairs": "loading",
    "from_scored_pairs": "loading",
    "from_triplets": "loading",
    "make_queries": "queries",
    "merge_models": "merging",
    "mine_by_model": "negatives",
    "mine_negatives": "negatives",
    "promote": "promotion",
    "query_costs": "asking",
    "train_adapter": "adapting",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
