"""PyTorch's side of the comparison: the notebook, in the turns that standard
input gives (turns.h tells what is said).

    notebook_step.py train | epochs | sample  [flags]

`train` takes a step of the notebook's loop at a time, `sample` a text's; both
answer each turn. `epochs` trains from the start to the end as the notebook
does, telling the validation loss after each epoch.
"""

import argparse
import contextlib
import sys
import time


def parse_flags():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("train", "epochs", "sample"))
    parser.add_argument("--data_path")
    parser.add_argument("--checkpoint")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rnn_type", default="GRU")
    for name, default in (("embedding_dim", 256), ("hidden_dim", 256),
                          ("num_layers", 1), ("seq_len", 128),
                          ("batch_size", 128), ("num_epochs", 5),
                          ("seed", 42), ("max_generate", 400), ("streams", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--autocast", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--emit", action="store_true")
    return parser.parse_args()


flags = parse_flags()

# After the flags, so that a mistake in them does not take seconds.
import notebook  # noqa: E402  pylint: disable=wrong-import-position
import torch  # noqa: E402  pylint: disable=wrong-import-position


def compiled(model):
    return torch.compile(model) if flags.compile else model


def take_turns(steps):
    """Does a step of the iterator `steps` at a time, as turns are given."""
    print("ready", flush=True)
    for line in sys.stdin:
        milliseconds = []
        began = time.perf_counter()
        for _ in range(int(line)):
            next(steps)
            now = time.perf_counter()
            milliseconds.append((now - began) * 1e3)
            began = now
        print(" ".join(f"{x:.3f}" for x in milliseconds), flush=True)


def training():
    """The model, its training steps, and how it is validated."""
    itos, ids = notebook.load_text(flags.data_path)
    train, validation = notebook.split(ids, flags.seq_len, flags.batch_size)
    model = notebook.CharRNN(len(itos), flags.embedding_dim, flags.hidden_dim,
                             flags.num_layers, flags.dropout, flags.rnn_type)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = torch.nn.CrossEntropyLoss()
    called = compiled(model)

    def epoch():
        for x, y in train:
            yield notebook.train_step(called, optimizer, criterion, x, y,
                                      flags.autocast)

    def validate():
        return notebook.evaluate(called, criterion, validation, flags.autocast)

    return epoch, validate


def train_in_turns():
    epoch, _ = training()

    def steps():
        while True:
            yield from epoch()

    take_turns(steps())


def train_epochs():
    epoch, validate = training()
    for number in range(1, flags.num_epochs + 1):
        for step, _ in enumerate(epoch(), 1):
            if number == step == 1:
                print("step 1", flush=True)
        print(f"epoch {number} validation  loss {validate():.4f}", flush=True)


def load_checkpoint():
    checkpoint = torch.load(flags.checkpoint)
    state = checkpoint["model_state"]
    vocab_size, embedding_dim = state["emb.weight"].shape
    hidden_dim = state["rnn.weight_hh_l0"].shape[1]
    layers = sum(name.startswith("rnn.weight_hh") for name in state)
    gates = state["rnn.weight_hh_l0"].shape[0] // hidden_dim
    model = notebook.CharRNN(vocab_size, embedding_dim, hidden_dim, layers, 0.0,
                             "LSTM" if gates == 4 else "GRU")
    model.load_state_dict(state)
    model.eval()
    return model, checkpoint["itos"]


def sample_in_turns():
    model, itos = load_checkpoint()
    called = compiled(model)

    def emit(character):
        sys.stdout.write(character)
        sys.stdout.flush()

    if flags.emit:
        notebook.sample(called, itos, 1, flags.max_generate, emit=emit)
        return

    def texts():
        while True:
            yield notebook.sample(called, itos, flags.streams,
                                  flags.max_generate)

    take_turns(texts())


def main():
    torch.set_num_threads(flags.threads)
    torch.manual_seed(flags.seed)
    autocast = contextlib.nullcontext()
    if flags.autocast and flags.what == "sample":
        autocast = torch.autocast("cpu", torch.bfloat16)
    with autocast:
        {"train": train_in_turns, "epochs": train_epochs,
         "sample": sample_in_turns}[flags.what]()


if __name__ == "__main__":
    main()
