"""Values and pure functions. Knows no framework, no Chroma and no search engine."""
