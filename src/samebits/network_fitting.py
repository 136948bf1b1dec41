"""How a network is fitted: batches, losses, schedules and early stopping, each step of it skorch's.

skorch takes an interrupt for the wish to stop training and keeps what there is: here its own loop over epochs is not used, so that an
interrupted fit gives nothing. PyTorch and skorch are imported inside; what draws, draws from PyTorch's generator.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

_SCHEDULERS = {"cosine": "CosineAnnealingLR", "step": "StepLR", "plateau": "ReduceLROnPlateau"}
_CLASSES = {
    **{"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adagrad": "Adagrad"},
    **{"rmsprop": "RMSprop", "nadam": "NAdam", "radam": "RAdam"},
}
OPTIMIZERS = tuple(_CLASSES)
FUSED = ("sgd", "adam", "adamw", "adagrad")  # have a fused form, whose bits were equal on every CPU that was tried
_LOSSES = {"squared_error": "mse_loss", "absolute_error": "l1_loss", "huber": "smooth_l1_loss"}
_KINDS = "biuf"  # of the arrays that safetensors and NumPy both know


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves.

    Parameters
    ----------
    state
        The network's parameters and buffers by name, sorted.
    train_losses, valid_losses
        Mean loss of each epoch; without early stopping there are none of the second.
    best_epoch
        The epoch whose state this is, from 0.
    """

    state: dict[str, np.ndarray]
    train_losses: np.ndarray
    valid_losses: np.ndarray
    best_epoch: int


class Batches:
    """The rows in their order, so many at a time; what skorch asks of a data loader."""

    def __init__(self, dataset: Any, batch_size: int) -> None:
        self.dataset = dataset
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[tuple[Any, tuple[Any, Any]]]:
        X, (y, weights) = self.dataset.X, self.dataset.y
        for rows in self.list_rows(X):
            yield X[rows], (y[rows], weights[rows])

    def list_rows(self, X: Any) -> Any:
        """Return each batch's rows."""
        import torch

        return torch.arange(len(X), device=X.device).split(self.batch_size)


class ShuffledBatches(Batches):
    """The rows in another order each time; a last batch of one row is left out, since no batch normalisation takes it."""

    def list_rows(self, X: Any) -> Any:
        """Return each batch's rows."""
        import torch

        batches = torch.randperm(len(X)).to(X.device).split(self.batch_size)
        return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches


class WeightedLoss:
    """The mean of the rows' losses, each times its weight.

    Parameters
    ----------
    name
        Of a function in torch.nn.functional.
    n_outputs
        What the network gives for each row.
    """

    def __init__(self, name: str, n_outputs: int) -> None:
        self.name = name
        self.n_outputs = n_outputs

    def __call__(self, given: Any, wanted: tuple[Any, Any]) -> Any:
        """Return the loss of a batch, given the network's outputs and a pair of target values and weights."""
        import torch

        y, weights = wanted
        if given.numel() != len(y) * self.n_outputs:
            raise ValueError(f"the module gave {tuple(given.shape)} for {len(y)} rows, and ({len(y)}, {self.n_outputs}) is needed")
        outputs = given if self.name == "cross_entropy" else given.reshape(len(y))
        loss = getattr(torch.nn.functional, self.name)(outputs, y, reduction="none")
        return (loss * weights).mean()


def fit_network(estimator: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray, labels: np.ndarray | None) -> Fitted:
    """Return what a fit of an estimator's network to some rows leaves.

    Parameters
    ----------
    y
        Codes of classes, int64, or values, float32; shape (n_rows,).
    weights
        One for each row; they count by their ratios.
    labels
        By which the rows for early stopping are drawn; None: by nothing.

    Raises
    ------
    ValueError
        The loss is no number, or the network's state cannot be stored.
    """
    weights = (weights / weights.mean()).astype(np.float32)
    stopping = estimator.early_stopping
    if stopping is None:
        return _train(estimator, _make_net(estimator, None), _make_dataset(estimator, X, y, weights), 0)
    size = stopping.get("validation_size", 0.1)
    parts = train_test_split(np.arange(len(X)), test_size=size, random_state=estimator.seed_, stratify=labels)
    train, valid = (_make_dataset(estimator, X[rows], y[rows], weights[rows]) for rows in map(np.sort, parts))
    return _train(estimator, _make_net(estimator, valid), train, stopping.get("patience", 5))


def _make_dataset(estimator: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Any:
    import torch
    from skorch.dataset import Dataset

    inputs, targets, weighed = (torch.from_numpy(array).to(estimator.device) for array in (X, y, weights))
    return Dataset(inputs, (targets, weighed))


def _make_net(estimator: Any, valid: Any) -> Any:
    import torch
    from skorch import NeuralNet
    from skorch.helper import predefined_split

    name = _LOSSES[estimator.loss] if hasattr(estimator, "loss") else "cross_entropy"
    net = NeuralNet(
        estimator.build_module(),
        criterion=functools.partial(WeightedLoss, name, estimator.n_outputs_),
        optimizer=getattr(torch.optim, _CLASSES[estimator.optimizer]),
        **{f"optimizer__{name}": value for name, value in list_optimizer_parameters(estimator).items()},
        lr=estimator.lr,
        batch_size=estimator.batch_size,
        iterator_train=ShuffledBatches,
        iterator_valid=Batches,
        train_split=predefined_split(valid) if valid is not None else None,
        device=estimator.device,
        callbacks="disable",
        verbose=0,
    )
    return net.initialize()


def list_optimizer_parameters(estimator: Any) -> dict[str, Any]:
    """Return what an estimator's optimizer is given beside the learning rate."""
    chosen = {"weight_decay": estimator.weight_decay, "momentum": estimator.momentum or None}
    if estimator.optimizer in FUSED:
        chosen |= {"fused": True} if estimator.fused else {"fused": False, "foreach": False}
    return {name: value for name, value in chosen.items() if value is not None}


def _train(estimator: Any, net: Any, train: Any, patience: int) -> Fitted:
    scheduler = _make_scheduler(estimator, net.optimizer_)
    losses: dict[str, list[float]] = {"train": [], "valid": []}
    best_epoch, best_state = 0, None
    for epoch in range(estimator.max_epochs):
        net.fit_loop(train, epochs=1)
        for part, found in losses.items():
            found += _read_losses(net.history[-1], part, epoch)
        judged = losses["valid"] or losses["train"]
        if scheduler is not None:
            scheduler.step(*([judged[-1]] if estimator.schedule["name"] == "plateau" else []))
        if not patience:
            best_epoch = epoch
        elif best_state is None or judged[-1] < judged[best_epoch]:
            best_epoch, best_state = epoch, copy.deepcopy(net.module_.state_dict())
        elif epoch - best_epoch >= patience:
            break
    state = _read_state(best_state if best_state is not None else net.module_.state_dict())
    return Fitted(state, np.array(losses["train"]), np.array(losses["valid"]), best_epoch)


def _make_scheduler(estimator: Any, optimizer: Any) -> Any:
    import torch

    if estimator.schedule is None:
        return None
    parameters = dict(estimator.schedule)
    name = parameters.pop("name")
    if name == "cosine":
        parameters.setdefault("T_max", estimator.max_epochs)
    if name == "step":
        parameters.setdefault("step_size", 10)
    return getattr(torch.optim.lr_scheduler, _SCHEDULERS[name])(optimizer, **parameters)


def _read_losses(epoch: Any, part: str, number: int) -> list[float]:
    """Return the mean loss of an epoch's rows of one part, in a list, or none where it has no such rows."""
    batches = [batch for batch in epoch["batches"] if f"{part}_loss" in batch]
    if not batches:
        return []
    sizes = [batch[f"{part}_batch_size"] for batch in batches]
    mean = float(np.average([batch[f"{part}_loss"] for batch in batches], weights=sizes))
    if not np.isfinite(mean):
        raise ValueError(f"the loss is {mean} in epoch {number + 1}: a smaller lr may help")
    return [mean]


def _read_state(state: dict[str, Any]) -> dict[str, np.ndarray]:
    try:
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in sorted(state.items())}
    except TypeError as error:  # such as bfloat16, which NumPy has not
        raise ValueError(f"a state that NumPy can hold is needed: {error}") from None
    strange = [name for name, array in arrays.items() if array.dtype.kind not in _KINDS]
    if strange:
        raise ValueError(f"a state of real numbers is needed, and {', '.join(strange)} is none")
    return arrays
