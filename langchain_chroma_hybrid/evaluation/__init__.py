"""How good a retriever is on your own queries, and better options for it; extra `eval`."""

from langchain_chroma_hybrid.evaluation.datasets import Dataset, load_beir, load_clicks, load_csv
from langchain_chroma_hybrid.evaluation.evaluate import Evaluation, evaluate
from langchain_chroma_hybrid.evaluation.metrics import per_query
from langchain_chroma_hybrid.evaluation.settings import Settings
from langchain_chroma_hybrid.evaluation.statistics import Difference, Estimate
from langchain_chroma_hybrid.evaluation.tune import Trial, Tuned, candidates, tune

__all__ = [
    "Dataset",
    "Difference",
    "Estimate",
    "Evaluation",
    "Settings",
    "Trial",
    "Tuned",
    "candidates",
    "evaluate",
    "load_beir",
    "load_clicks",
    "load_csv",
    "per_query",
    "tune",
]
