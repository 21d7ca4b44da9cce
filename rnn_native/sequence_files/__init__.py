"""Sequences in files: read, run and written some steps at a time. What ``rnn-native run`` does.

An input is an :class:`inputs.ArrayInput` of a ``.npy`` or ``.npz`` file or a
:class:`lines.LinesInput` of a ``.csv``; an output is opened by :func:`outputs.open_output`.
Between them every piece is [time, batch, features], or [time, batch] of indices, whatever the axes
of the files. ``.npy`` and ``.csv`` may be larger than memory.
"""
