"""Both halves together: Chroma and the lexical index. Knows no framework.

Who holds one of these locks takes only locks that come after it:

1. `engine/handle._lock`
2. `engine/registry._lock`
3. `engine/guard._lock`
4. `engine/model_notes._lock`
5. `engine/query/background._embedding`
6. `engine/query/background._lock`
7. `engine/sync/freshness._lock`
8. `engine/sync/writer._flushing`
9. `_files._threads`
10. `lexical/tantivy/index._writing`
11. `lexical/postgres/index._holding`
12. `lexical/tantivy/index._refreshing`
13. `lexical/tantivy/view._lock`
14. `lexical/rank_bm25._lock`
15. `engine/chroma/vector_reader.opening`
16. `engine/chroma/vector_reader.lock`
17. `engine/chroma/second_client._lock`
18. `engine/chroma/second_client._mutex`
19. `engine/sync/announcements._lock`
20. `engine/sync/write_ahead_log._mutex`
21. `lexical/journal._mutex`
22. `lexical/seen._lock`
23. `lexical/postgres/server._mutex`
24. `engine/sync/writer._mutex`
25. `engine/sync/own_changes._lock`
26. `engine/sync/checkpoint._mutex`
27. `engine/sync/watch._lock`
28. `engine/chroma/read_ahead._lock`
29. `engine/chroma/token_cache._lock`
30. `engine/chroma/vectors._lock`
31. `engine/query/query_vectors._lock`

An index that is built beside another one has locks of its own, of which `_files._threads` comes
before that of the other. The locks of files in a log's folder are never waited for.
"""
