"""Both halves together: Chroma and the lexical index. Knows no framework.

Who holds one of these locks takes only locks that come after it:

1. `engine/handle._lock`
2. `engine/registry._lock`
3. `engine/query/background._embedding`
4. `engine/query/background._lock`
5. `engine/sync/freshness._lock`
6. `engine/sync/writer._flushing`
7. `_files._threads`
8. `lexical/tantivy/index._writing`
9. `lexical/tantivy/index._refreshing`
10. `lexical/tantivy/view._lock`
11. `lexical/rank_bm25._lock`
12. `engine/chroma/vector_reader.opening`
13. `engine/chroma/vector_reader.lock`
14. `engine/chroma/second_client._lock`
15. `engine/chroma/second_client._mutex`
16. `engine/sync/announcements._lock`
17. `engine/sync/write_ahead_log._mutex`
18. `engine/sync/writer._mutex`
19. `engine/sync/own_changes._lock`
20. `engine/sync/checkpoint._mutex`
21. `engine/sync/watch._lock`
22. `engine/chroma/read_ahead._lock`
23. `engine/chroma/token_cache._lock`
24. `engine/chroma/vectors._lock`
25. `engine/query/query_vectors._lock`

An index that is built beside another one has locks of its own, of which `_files._threads` comes
before that of the other. The locks of files in a log's folder are never waited for.
"""
