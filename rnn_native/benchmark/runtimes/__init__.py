"""Runtimes that a model file can be measured with, one module each (see ``worker.Runtime``)."""
