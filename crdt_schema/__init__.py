"""The contract with every other Yjs program: the layout of a workspace's documents, and what their records hold.

``layout``    root names, keys and ids: building and reading them (pure, total)
``records``   what the record roots hold, and the conflict that programs see over HTTP (pydantic)
``generate``  writes ``json/`` and ``typescript/`` from the two above

It imports nothing of Openprod, so that any program may take it along. README.md is written for outsiders.
"""
