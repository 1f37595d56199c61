"""Writing both halves, and bringing the lexical index in step."""
