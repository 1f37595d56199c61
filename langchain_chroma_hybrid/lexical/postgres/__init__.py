"""The index in PostgreSQL: records, words and journals in tables, candidates by pg_textsearch."""
