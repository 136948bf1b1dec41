"""A network of Keras on PyTorch's backend, for the tests; imported where both are installed."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch


class Net(torch.nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.1), keras.layers.Dense(n_outputs)]
        self.model = keras.Sequential([keras.Input((n_inputs,)), *layers])

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.model(X, training=self.training)
