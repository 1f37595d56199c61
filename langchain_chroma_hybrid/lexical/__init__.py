"""Lexical indexes: BM25 over analysed text, and metadata filters with Chroma's meaning."""
