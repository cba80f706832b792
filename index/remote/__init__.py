"""The derived indexes of a library in Qdrant, where several machines search them.

The library stays the truth. `address.py` says where the engine is, `engine.py` speaks with it and is the only file that
knows its client, `patience.py` and `circuit.py` do what is to be done when it is busy or down, `names.py` says what
collections are called, `points.py` what a passage is there, `lexicon.py` keeps the terms of one and `lexicons.py` says
where, `forward.py` brings it in step with the library, `store.py` answers from it, `orphans.py` finds what nothing uses
any more.
"""
