"""How good a retriever is on your own queries; needs the extra `eval`."""

from langchain_chroma_hybrid.evaluation.datasets import Dataset, load_beir, load_clicks, load_csv
from langchain_chroma_hybrid.evaluation.metrics import per_query

__all__ = ["Dataset", "load_beir", "load_clicks", "load_csv", "per_query"]
