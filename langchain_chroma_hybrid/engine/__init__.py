"""Both halves together: Chroma and the lexical index. Knows no framework."""
