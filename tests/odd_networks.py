"""Networks for the tests, good and bad ones; imported where PyTorch is installed."""

from __future__ import annotations

import random

import numpy as np
import torch


class Dense(torch.nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int, width: int = 8) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(n_inputs, width)
        self.norm = torch.nn.BatchNorm1d(width)
        self.dropout = torch.nn.Dropout(0.1)
        self.output = torch.nn.Linear(width, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(self.dropout(torch.relu(self.norm(self.hidden(X)))))


class Signal(torch.nn.Module):
    """A convolution, and noise that stands in no state."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.noise = torch.randn(n_inputs)
        self.filters = torch.nn.Conv1d(1, 4, 3)
        self.output = torch.nn.Linear(4 * (n_inputs - 2), n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(torch.tanh(self.filters((X + self.noise)[:, None, :])).flatten(1))


class Convolved(torch.nn.Module):
    """A convolution, and noise that is a buffer, which goes where the network goes."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.register_buffer("noise", torch.randn(n_inputs))
        self.filters = torch.nn.Conv1d(1, 4, 3)
        self.output = torch.nn.Linear(4 * (n_inputs - 2), n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(torch.tanh(self.filters((X + self.noise)[:, None, :])).flatten(1))


class Narrow(torch.nn.Module):
    """Takes three columns, whatever there are."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.output = torch.nn.Linear(3, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(X)


class Unrepeatable(Narrow):
    def forward(self, X: torch.Tensor) -> torch.Tensor:
        into = torch.zeros(4)
        into.put_(torch.tensor([0]), torch.tensor([1.0]))
        return self.output(X[:, :3] + into[0])


class Half(Narrow):
    def forward(self, X: torch.Tensor) -> torch.Tensor:
        self.register_buffer("seen", torch.zeros(2, dtype=torch.bfloat16))
        return self.output(X[:, :3])


class Stopped(Narrow):
    def forward(self, X: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt


class Drawn(Narrow):
    """Draws from every generator as it is made, keeps that in no state, and changes PyTorch's settings."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__(n_outputs)
        self.noise = torch.from_numpy(np.random.normal(size=3).astype(np.float32)) * random.random()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(False)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        assert torch.get_num_threads() == 1 and torch.are_deterministic_algorithms_enabled()
        return self.output(X[:, :3] * self.noise + torch.ones(3))


class TooNarrow(torch.nn.Module):
    """One output, whatever is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.output = torch.nn.Linear(5, 1)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(X)


class NoModule:
    def __init__(self, n_inputs: int) -> None:
        pass


class Recurrent(torch.nn.Module):
    """Two layers of cuDNN's on a GPU, with dropout between them."""

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 16) -> None:
        super().__init__()
        self.memory = torch.nn.LSTM(1, width, num_layers=2, dropout=0.2, batch_first=True)
        self.output = torch.nn.Linear(width, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(self.memory(X[:, :, None])[0][:, -1])


class Pooled(torch.nn.Module):
    """Its gradient is added up in any order on a GPU, and PyTorch has no other form of it."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.filters = torch.nn.Conv2d(1, 4, 1)
        self.pool = torch.nn.AdaptiveAvgPool2d(2)
        self.output = torch.nn.Linear(16, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.output(self.pool(self.filters(X[:, None, :, None])).flatten(1))
