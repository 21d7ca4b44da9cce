"""The comparison of cells that the command ``rnn-native compare`` makes: docs/comparison.md."""
