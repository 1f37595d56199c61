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
12. `lexical/opensearch/locking._holding`
13. `lexical/opensearch/index._refreshing`
14. `lexical/tantivy/index._refreshing`
15. `lexical/tantivy/view._lock`
16. `lexical/rank_bm25._lock`
17. `engine/chroma/vector_reader.opening`
18. `engine/chroma/vector_reader.lock`
19. `engine/chroma/second_client._lock`
20. `engine/chroma/second_client._mutex`
21. `engine/sync/announcements._lock`
22. `engine/sync/write_ahead_log._mutex`
23. `lexical/journal._mutex`
24. `lexical/opensearch/side._mutex`
25. `lexical/seen._lock`
26. `lexical/postgres/server._mutex`
27. `lexical/opensearch/cluster._mutex`
28. `engine/sync/writer._mutex`
29. `engine/sync/own_changes._lock`
30. `engine/sync/checkpoint._mutex`
31. `engine/sync/watch._lock`
32. `engine/chroma/read_ahead._lock`
33. `engine/chroma/token_cache._lock`
34. `engine/chroma/vectors._lock`
35. `engine/query/query_vectors._lock`

An index that is built beside another one has locks of its own, of which `_files._threads` comes
before that of the other. The locks of files in a log's folder are never waited for.
"""
