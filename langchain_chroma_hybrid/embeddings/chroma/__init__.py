"""Embeddings as Chroma's functions, and what a collection remembers of them."""
