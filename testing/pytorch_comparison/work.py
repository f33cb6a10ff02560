"""How much arithmetic a training step is, and what is compared."""

import collections
import itertools

Shape = collections.namedtuple(
    "Shape", "rnn_type num_layers hidden_dim batch_size")

NOTEBOOK = Shape("GRU", 1, 256, 128)

EMBEDDING_DIM = 256
SEQ_LEN = 128


def shapes(rnn_types, layers, hidden, batches):
    return [Shape(*values)
            for values in itertools.product(rnn_types, layers, hidden, batches)]


def step_flops(shape, vocab_size):
    """Floating-point operations of a training step, a multiply-add as two.

    B rows of T characters, hidden size H, G gates (GRU 3, LSTM 4), L layers, V
    symbols, embedding size E. Each product is there three times: forward, for
    the gradient of its input, and for that of its weights.

      recurrent, in each layer:            3 * 2 * B*T * G*H * H
      input of each layer but the first:   3 * 2 * B*T * G*H * H
      logits:                              3 * 2 * B*T * H * V
      embedding and first layer's input:   3 * 2 * V * E * G*H

    Between the embedding and the first layer stands nothing, so that their
    product is one table of V rows, whatever B*T is. An eager framework, which
    multiplies each character's row, does 3 * 2 * B*T * E * G*H there; what it
    does beyond need does not count as work. Gates, softmax and Adam are left
    out: a few operations a value.
    """
    rows = shape.batch_size * SEQ_LEN
    gates = {"GRU": 3, "LSTM": 4}[shape.rnn_type] * shape.hidden_dim
    products = (rows * gates * shape.hidden_dim * (2 * shape.num_layers - 1) +
                rows * shape.hidden_dim * vocab_size +
                vocab_size * EMBEDDING_DIM * gates)
    return 3 * 2 * products
