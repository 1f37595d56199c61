"""Fakes for tests of code that uses this package: deterministic, no download, no network."""

from langchain_chroma_hybrid.testing.embeddings import WordEmbeddings

__all__ = ["WordEmbeddings"]
