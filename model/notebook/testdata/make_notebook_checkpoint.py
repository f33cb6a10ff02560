#!/usr/bin/env python3
"""Makes the checkpoints in this folder, with PyTorch 2.11.0 on the CPU.

    python3 -m venv torch && torch/bin/pip install torch==2.11.0 numpy
    torch/bin/python model/testdata/make_notebook_checkpoint.py

The class and the dictionary that is saved are those of the notebook that this
program replaces. Beside each checkpoint lie the logits that its model computed
here for some ids. notebook_cuda.pt holds the LSTM as a GPU would have saved it.
"""

import json
import os

import torch
from torch import nn

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_TEXT = "grün, mild\n"


class CharRNN(nn.Module):
    """The notebook's model."""

    def __init__(self, vocab_size, config):
        super().__init__()
        layers = config["num_layers"]
        dropout = config["dropout"]
        self.emb = nn.Embedding(vocab_size, config["embedding_dim"])
        self.rnn = getattr(nn, config["rnn_type"])(
            config["embedding_dim"], config["hidden_dim"], layers,
            batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(config["hidden_dim"], vocab_size)

    def forward(self, ids, state=None):
        output, state = self.rnn(self.emb(ids), state)
        return self.fc(self.dropout(output)), state


def make(rnn_type, num_layers, dropout, seed):
    """A model and the dictionary that the notebook saves."""
    config = {
        "data_path": "data/tinyshakespeare.txt", "seq_len": 16,
        "batch_size": 8, "embedding_dim": 4, "hidden_dim": 6,
        "num_layers": num_layers, "dropout": dropout, "rnn_type": rnn_type,
        "num_epochs": 5, "learning_rate": 2e-3, "grad_clip": 1.0,
        "log_every": 100, "sample_every": 100, "max_generate": 400,
        "temperature": 0.9, "top_k": 40, "top_p": 0.9, "val_fraction": 0.05,
        "overlap_step": None, "seed": seed, "device": "cpu",
        "save_path": "best.pt",
    }
    itos = sorted(set(_TEXT))
    stoi = {character: i for i, character in enumerate(itos)}
    torch.manual_seed(seed)
    model = CharRNN(len(itos), config).eval()
    return model, {"model_state": model.state_dict(), "config": config,
                   "stoi": stoi, "itos": itos}


def save(name, model, checkpoint):
    torch.save(checkpoint, os.path.join(_FOLDER, name + ".pt"))
    ids = torch.randint(len(checkpoint["itos"]), (2, 12))
    with torch.no_grad():
        logits, _ = model(ids)
    path = os.path.join(_FOLDER, name + ".logits.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"ids": ids.tolist(), "logits": logits.tolist()}, file)
        file.write("\n")


def save_as_on_gpu(name, checkpoint):
    """Saves what torch.save makes of the same model on a GPU.

    There cuDNN wants the recurrent weights in one piece of memory, the biases
    behind the matrices, so all are views into one storage; and storages say
    which GPU they lay on.
    """
    state = checkpoint["model_state"]
    names = sorted((n for n in state if n.startswith("rnn.")),
                   key=lambda n: ("bias" in n, n[-1], "_hh_" in n))
    flat = torch.cat([state[n].flatten() for n in names])
    offset = 0
    for weight in names:
        shape = state[weight].shape
        view = flat[offset:offset + shape.numel()].view(shape)
        assert torch.equal(view, state[weight])
        state[weight] = view
        offset += shape.numel()
    tag = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"
    torch.save(checkpoint, os.path.join(_FOLDER, name + ".pt"))
    torch.serialization.location_tag = tag


def main():
    # Ints where floats are meant, as people write them.
    save("notebook_gru", *make("GRU", num_layers=1, dropout=0, seed=42))
    model, checkpoint = make("LSTM", num_layers=2, dropout=0.1, seed=7)
    save("notebook_lstm", model, checkpoint)
    checkpoint["config"]["device"] = "cuda"
    save_as_on_gpu("notebook_cuda", checkpoint)


if __name__ == "__main__":
    main()
