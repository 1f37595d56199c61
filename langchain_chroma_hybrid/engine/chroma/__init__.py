"""All that calls chromadb, and what is read from it."""
