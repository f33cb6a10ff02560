"""The PyTorch notebook whose user charrnn is for, as a module.

Written as such notebooks are: nothing here is tuned, and nothing made slow.
Its mistakes are mended (the sampling loop's body stands inside the loop, and
all validation chunks count).
"""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset


class CharDataset(Dataset):

    def __init__(self, ids, seq_len):
        self.ids = ids
        self.seq_len = seq_len

    def __len__(self):
        return (len(self.ids) - 1 - self.seq_len) // self.seq_len + 1

    def __getitem__(self, index):
        begin = index * self.seq_len
        chunk = self.ids[begin:begin + self.seq_len + 1]
        return chunk[:-1], chunk[1:]


class CharRNN(nn.Module):

    def __init__(self, vocab_size, embedding_dim, hidden_dim, num_layers,
                 dropout, rnn_type):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, embedding_dim)
        rnn = nn.LSTM if rnn_type == "LSTM" else nn.GRU
        self.rnn = rnn(embedding_dim, hidden_dim, num_layers, batch_first=True,
                       dropout=dropout if num_layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_dim, vocab_size)

    def forward(self, x, hidden=None):
        out, hidden = self.rnn(self.emb(x), hidden)
        return self.fc(self.dropout(out)), hidden


def load_text(path):
    """The text's characters, sorted, and its ids."""
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    itos = sorted(set(text))
    stoi = {character: i for i, character in enumerate(itos)}
    return itos, torch.tensor([stoi[c] for c in text], dtype=torch.long)


def split(ids, seq_len, batch_size, val_fraction=0.05):
    """Loaders of the training and of the validation chunks."""
    n_val = max(1, int(len(ids) * val_fraction))
    train = DataLoader(CharDataset(ids[:-n_val], seq_len), batch_size,
                       shuffle=True, drop_last=True)
    validation = DataLoader(CharDataset(ids[-n_val:], seq_len), batch_size)
    return train, validation


def train_step(model, optimizer, criterion, x, y, autocast=False):
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits, _ = model(x)
        loss = criterion(logits.reshape(-1, logits.size(-1)), y.reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def evaluate(model, criterion, loader, autocast=False):
    """Nats per character."""
    model.eval()
    total, count = 0.0, 0
    for x, y in loader:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits, _ = model(x)
            loss = criterion(logits.reshape(-1, logits.size(-1)),
                             y.reshape(-1))
        total += loss.item() * y.numel()
        count += y.numel()
    model.train()
    return total / count


@torch.no_grad()
def sample(model, itos, streams, max_generate, temperature=0.9, top_k=40,
           top_p=0.9, emit=None):
    """`streams` texts side by side, each after a random character."""
    model.eval()
    texts = [[] for _ in range(streams)]
    x = torch.randint(len(itos), (streams, 1))
    hidden = None
    for _ in range(max_generate):
        logits, hidden = model(x, hidden)
        logits = logits[:, -1, :].float() / temperature
        if 0 < top_k < logits.size(-1):
            least = torch.topk(logits, top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -float("inf"))
        if top_p < 1.0:
            ordered, order = torch.sort(logits, descending=True)
            probs = functional.softmax(ordered, dim=-1)
            cut = torch.cumsum(probs, dim=-1) - probs > top_p
            logits = logits.masked_fill(cut.scatter(1, order, cut),
                                        -float("inf"))
        x = torch.multinomial(functional.softmax(logits, dim=-1), 1)
        for text, index in zip(texts, x.squeeze(1).tolist()):
            text.append(itos[index])
            if emit:
                emit(itos[index])
    return ["".join(text) for text in texts]
