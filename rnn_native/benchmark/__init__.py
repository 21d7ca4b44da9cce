"""Measures runtimes side by side: what ``rnn-native bench`` and ``bench/`` have in common.

``timing`` times a call; ``worker`` runs in a runtime's own process, ``serving`` has it answer
requests, ``child`` starts one and talks to it; ``rounds`` lets several take turns; ``runtimes`` has
one module each. Nothing here is imported unless speed is measured.
"""
