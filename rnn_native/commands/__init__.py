"""The subcommands of ``rnn-native``, one module each (see ``cli``)."""
