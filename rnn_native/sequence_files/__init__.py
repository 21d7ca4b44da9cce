"""Sequences in files: read, run and written some steps at a time. What ``rnn-native run`` does.

An input is opened by :func:`inputs.open_input`, an output by :func:`outputs.open_output`, by their
suffixes: ``.npy``, ``.npz`` or ``.csv``. Between them every piece is [time, batch, features], or
[time, batch] of indices, whatever the axes of the files. ``.npy`` and ``.csv`` may be larger than
memory.
"""
