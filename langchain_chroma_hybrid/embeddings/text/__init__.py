"""Text models as embeddings."""
