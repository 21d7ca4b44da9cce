"""Training: back-propagation through time in C, NumPy arrays in and out.

net = rn.train.Network(spec)
y, state, tape = net.forward(x)
grads = net.backward(tape, dy)      # dy: gradient of a loss with respect to y
for name, weight in net.weights.items():
    weight -= 0.01 * grads.weights[name]
net.update()
"""

from .network import Network
from .once import backward, forward
from .tape import Gradients, Tape

__all__ = ["Gradients", "Network", "Tape", "backward", "forward"]
