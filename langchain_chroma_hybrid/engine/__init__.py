"""Both halves together: Chroma and the lexical index. Knows no framework.

Who holds one of these locks takes only locks that come after it:

1. `engine/handle._lock`
2. `engine/registry._lock`
3. `engine/sync/freshness._lock`
4. `engine/sync/writer._flushing`
5. `_files._threads`
6. `lexical/tantivy/index._writing`
7. `lexical/tantivy/index._refreshing`
8. `lexical/tantivy/view._lock`
9. `lexical/rank_bm25._lock`
10. `engine/chroma/vector_reader.opening`
11. `engine/chroma/vector_reader.lock`
12. `engine/chroma/second_client._lock`
13. `engine/chroma/second_client._mutex`
14. `engine/sync/announcements._lock`
15. `engine/sync/write_ahead_log._mutex`
16. `engine/sync/writer._mutex`
17. `engine/sync/own_changes._lock`
18. `engine/sync/checkpoint._mutex`
19. `engine/sync/watch._lock`
20. `engine/chroma/read_ahead._lock`
21. `engine/chroma/token_cache._lock`
22. `engine/chroma/vectors._lock`

An index that is built beside another one has locks of its own, of which `_files._threads` comes
before that of the other. The locks of files in a log's folder are never waited for.
"""
