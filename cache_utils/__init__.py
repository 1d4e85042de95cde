"""A cache of files on disk that several processes share. Standard library only.

- `store`: `CacheStore`, entries by key with a limit on their volume: get, put, lease, cull, clean, clear, check.
- `policy`: which entries go first; a pure function.
- `leases`: which entries a live process uses; a lease dies with its process.
- `atomic`: a file replaced whole or not at all.
- `lock`: one process at a time, by a lock file.
"""
