"""Networks of PyTorch as scikit-learn estimators: a `torch.nn.Module` by its import path, and how it is fitted, as plain parameters.

PyTorch and skorch are imported where a network is fitted or asked, so that this module costs nothing; how a fit goes is
`network_fitting`. A fitted network is the class, its parameters and its state as arrays by name: what predicts is always built of
these alone, so that the stored model is the one that was scored. Served with a model, as `transformers` is, and as much on record.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import random
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from samebits.network_fitting import OPTIMIZERS, fit_network
from samebits.stored_parts import StandIn

SCHEDULES = {"cosine": ("T_max", "eta_min"), "step": ("step_size", "gamma"), "plateau": ("factor", "patience", "min_lr")}
NEEDED = ("torch", "skorch", "safetensors")
# A row's place in its block may choose the kernel's path, but a block is always of this many rows: what is asked beside it does not.
_BLOCK_ROWS = 512
_BUILT: weakref.WeakKeyDictionary[_Network, Any] = weakref.WeakKeyDictionary()


class NoGPUError(ValueError):
    """A network is to be fitted or asked on a GPU, and there is none."""


class StoredState(StandIn):
    """A network's state in a model file: the bytes of a safetensors file, which any reader of that format takes.

    Parameters
    ----------
    content
        As uint8.
    """

    def __new__(cls, content: np.ndarray) -> Any:
        from safetensors.numpy import load

        return dict(sorted(load(content.astype(np.uint8).tobytes()).items()))


class StoredClass(StandIn):
    """The class of a network in a model file: a type there, so that its package must be allowed, and a name in the network.

    Parameters
    ----------
    kind
        The class.
    """

    def __new__(cls, kind: type) -> Any:
        return name_class(kind)


def name_class(kind: type) -> str:
    """Return the import path of a class where it is defined."""
    return f"{kind.__module__}.{kind.__qualname__}"


def write_state(state: dict[str, np.ndarray]) -> bytes:
    """Return a state as safetensors: equal states give equal bytes, whatever order they were made in."""
    from safetensors.numpy import save

    content: bytes = save({name: np.array(state[name], order="C") for name in sorted(state)})
    return content


@contextmanager
def torch_left_alone() -> Iterator[None]:
    """Let an import in it find no PyTorch, unless that is there already: whoever does not use it need not wait for it."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # as Python has it for what cannot be imported
    try:
        yield
    finally:
        del sys.modules["torch"]


@contextmanager
def settled_torch(seed: int, device: str = "cpu") -> Iterator[Any]:
    """Let PyTorch compute by one thread, by deterministic algorithms, in full float32 and with its generators seeded; then as before.

    Raises
    ------
    ValueError
        What ran in it failed, or has no deterministic form; in PyTorch's own words, on one line.
    """
    import torch

    settings: list[tuple[Any, str, Any]] = [(torch.backends.cudnn, "benchmark", False), (torch.backends.cudnn, "deterministic", True)]
    precise = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    settings += [(place, "fp32_precision", "ieee") for place in precise]
    kept = [(place, name, getattr(place, name)) for place, name, _ in settings]
    threads, mode, dtype = torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.get_default_dtype()
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            _set_all(settings)
            torch.set_num_threads(1)
            torch.set_default_dtype(torch.float32)
            torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(True), which imports a compiler first
            torch.manual_seed(seed)
            yield torch
        except RuntimeError as error:  # of shapes that do not fit, of memory, of an operation without a deterministic form
            raise ValueError(_describe_failure(error)) from error
        finally:
            _set_all(kept)
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)
            torch.set_deterministic_debug_mode(mode)


def _set_all(settings: list[tuple[Any, str, Any]]) -> None:
    for place, name, value in settings:
        setattr(place, name, value)


def _describe_failure(error: RuntimeError) -> str:
    said = " ".join(str(error).split())
    operation, found, _ = said.partition(" does not have a deterministic implementation")
    if found:
        return f"{operation} has no deterministic form, so that no run of it repeats: use another operation"
    if "on the same device" in said:
        return f"{said} (what a module keeps beside its parameters goes to the GPU with them as a buffer: register_buffer)"
    return said


class _Network(BaseEstimator):
    """What both estimators share.

    Parameters
    ----------
    module
        Import path of a `torch.nn.Module`. Its forward takes float32 of shape (n_rows, n_inputs) and gives (n_rows, n_outputs). Its
        constructor is given `n_inputs` and `n_outputs`, where it takes them.
    module_parameters
        What its constructor is given besides.
    optimizer
        sgd, adam, adamw, adagrad, rmsprop, nadam or radam.
    fused
        Take the optimizer's fused form, where it has one.
    weight_decay
        None: as the optimizer has it.
    momentum
        Of sgd and rmsprop.
    early_stopping
        `patience`, in epochs, and `validation_size`, a fraction of the rows: trained until their loss falls no more; the best epoch is
        taken.
    schedule
        `name` of cosine, step or plateau, and that scheduler's own parameters.
    device
        cpu or cuda.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "module": [str],
        "module_parameters": [dict, None],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "fused": ["boolean"],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left"), None],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": [dict, None],
        "schedule": [dict, None],
        "device": [StrOptions({"cpu", "cuda"})],
        "random_state": ["random_state"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "loss": [StrOptions({"squared_error", "absolute_error", "huber"})],
        "scale_target": ["boolean"],
    }

    module: str
    module_parameters: dict[str, Any] | None
    optimizer: str
    fused: bool
    lr: float
    weight_decay: float | None
    momentum: float
    batch_size: int
    max_epochs: int
    early_stopping: dict[str, Any] | None
    schedule: dict[str, Any] | None
    device: Literal["cpu", "cuda"]
    random_state: Any

    def _validate_params(self) -> None:
        super()._validate_params()
        _check_early_stopping(self)
        _check_schedule(self)
        if self.momentum and self.optimizer not in ("sgd", "rmsprop"):
            raise _refuse(self, "momentum", f"0, since {self.optimizer} has none")

    def check_module(self, found: Any) -> None:
        """Hold the class that `module` names to what is needed of it, before there are any rows.

        Raises
        ------
        ValueError
            It is no module, does not take its parameters, or the packages are missing.
        """
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(f"{', '.join(missing)} to be installed, as the extra samebits[torch] does")
        import torch

        if not (isinstance(found, type) and issubclass(found, torch.nn.Module) and "." not in found.__qualname__):
            raise ValueError("a class of torch.nn.Module, by itself in its module")
        taken = inspect.signature(found).parameters
        takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
        strange = [name for name in self.module_parameters or {} if name not in taken and not takes_any]
        if strange:
            raise ValueError(f"a class that takes {', '.join(strange)}; {found.__name__} takes {', '.join(taken) or 'nothing'}")

    def _fit_network(self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, n_outputs: int, labels: np.ndarray | None) -> None:
        self._validate_params()
        _require_device(self.device)
        kind = import_class(self.module)
        self.check_module(kind)
        self.module_class_ = name_class(kind)
        self.n_outputs_ = n_outputs
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        _BUILT.pop(self, None)
        with settled_torch(self.seed_, self.device):
            found = fit_network(self, X, y, weights, labels)
        self.state_ = found.state
        self.train_losses_, self.valid_losses_, self.best_epoch_ = found.train_losses, found.valid_losses, found.best_epoch

    def build_module(self) -> Any:
        """Return a module with fresh weights, which are drawn from PyTorch's generator."""
        kind = import_class(self.module_class_)
        self.check_module(kind)
        taken = inspect.signature(kind).parameters
        sizes = {"n_inputs": self.n_features_in_, "n_outputs": self.n_outputs_}
        with _drawn_alike(self.seed_):
            return kind(**{name: n for name, n in sizes.items() if name in taken}, **(self.module_parameters or {}))

    def _ask(self, X: Any) -> np.ndarray:
        """Return what the network gives for each row, float64 of shape (n_rows, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32, order="C")
        with settled_torch(self.seed_, _require_device(self.device)) as torch, torch.inference_mode():
            if self not in _BUILT:
                _BUILT[self] = self._restore_module()
            blocks = [self._ask_block(torch, _BUILT[self], X[start : start + _BLOCK_ROWS]) for start in range(0, len(X), _BLOCK_ROWS)]
        return np.concatenate(blocks) if blocks else np.empty((0, self.n_outputs_))

    def _ask_block(self, torch: Any, module: Any, rows: np.ndarray) -> np.ndarray:
        block = np.zeros((_BLOCK_ROWS, rows.shape[1]), dtype=np.float32)
        block[: len(rows)] = rows
        given = module(torch.from_numpy(block).to(self.device))
        found: np.ndarray = given.reshape(_BLOCK_ROWS, self.n_outputs_)[: len(rows)].cpu().numpy().astype(np.float64)
        return found

    def _restore_module(self) -> Any:
        """Return the fitted network; what its constructor draws and keeps in no state, it draws as it did for the fit."""
        import torch

        module = self.build_module()
        module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in self.state_.items()})
        return module.to(self.device).eval()


class ModuleClassifier(ClassifierMixin, _Network):
    """A network that tells classes: cross-entropy over one output for each class, labels of any kind.

    Parameters are those of `_Network`, and:

    Parameters
    ----------
    class_weight
        `balanced`, or weight by label: as in scikit-learn; it multiplies sample weights.
    """

    def __init__(
        self,
        module: str,
        module_parameters: dict[str, Any] | None = None,
        optimizer: str = "adam",
        fused: bool = True,
        lr: float = 0.001,
        weight_decay: float | None = None,
        momentum: float = 0.0,
        batch_size: int = 128,
        max_epochs: int = 20,
        early_stopping: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
        class_weight: Any = None,
        device: Literal["cpu", "cuda"] = "cpu",
        random_state: Any = None,
    ) -> None:
        self.module = module
        self.module_parameters = module_parameters
        self.optimizer = optimizer
        self.fused = fused
        self.lr = lr
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.schedule = schedule
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network on rows X of shape (n_rows, n_inputs) and their labels."""
        X, y = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected two classes or more, found only {self.classes_[0]!r}")
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64) * compute_sample_weight(self.class_weight, y)
        self._fit_network(X, codes.astype(np.int64), weights, len(self.classes_), codes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, shape (n_rows, n_classes)."""
        probabilities: np.ndarray = softmax(self._ask(X), axis=1)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest class of each row."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])


class ModuleRegressor(RegressorMixin, _Network):
    """A network that tells a quantity.

    Parameters are those of `_Network`, and:

    Parameters
    ----------
    loss
        squared_error, absolute_error or huber.
    scale_target
        Learn the target with mean 0 and deviation 1, and give it back in its own unit.
    """

    def __init__(
        self,
        module: str,
        module_parameters: dict[str, Any] | None = None,
        loss: str = "squared_error",
        scale_target: bool = True,
        optimizer: str = "adam",
        fused: bool = True,
        lr: float = 0.001,
        weight_decay: float | None = None,
        momentum: float = 0.0,
        batch_size: int = 128,
        max_epochs: int = 20,
        early_stopping: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        random_state: Any = None,
    ) -> None:
        self.module = module
        self.module_parameters = module_parameters
        self.loss = loss
        self.scale_target = scale_target
        self.optimizer = optimizer
        self.fused = fused
        self.lr = lr
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.schedule = schedule
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network on rows X of shape (n_rows, n_inputs) and their values."""
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", y_numeric=True)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        values = np.asarray(y, dtype=np.float64)
        self.target_mean_ = float(values.mean()) if self.scale_target else 0.0
        self.target_scale_ = float(values.std() or 1.0) if self.scale_target else 1.0
        self._fit_network(X, ((values - self.target_mean_) / self.target_scale_).astype(np.float32), weights, 1, None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the quantity for each row."""
        return self._ask(X)[:, 0] * self.target_scale_ + self.target_mean_


def _refuse(estimator: _Network, name: str, expected: str) -> InvalidParameterError:
    kind = type(estimator).__name__
    return InvalidParameterError(f"The {name!r} parameter of {kind} must be {expected}. Got {getattr(estimator, name)!r} instead.")


def _check_early_stopping(estimator: _Network) -> None:
    wanted = estimator.early_stopping
    if wanted is None:
        return
    patience, size = wanted.get("patience", 5), wanted.get("validation_size", 0.1)
    is_sound = type(patience) is int and patience >= 1 and isinstance(size, float) and 0 < size < 1
    if not is_sound or set(wanted) - {"patience", "validation_size"}:
        raise _refuse(estimator, "early_stopping", "a mapping of patience (1 or more) and validation_size (between 0 and 1)")


def _check_schedule(estimator: _Network) -> None:
    wanted = estimator.schedule
    if wanted is None:
        return
    taken = SCHEDULES.get(str(wanted.get("name")))
    numbers = [value for name, value in wanted.items() if name != "name"]
    if taken is None or set(wanted) - {"name", *taken} or not all(type(value) in (int, float) for value in numbers):
        known = "; ".join(f"{name}: {', '.join(names)}" for name, names in SCHEDULES.items())
        raise _refuse(estimator, "schedule", f"a mapping of name and numbers ({known})")


def import_class(import_path: str) -> Any:
    """Return what an import path names: whose it is was asked before, by `allow:` or where a model was loaded."""
    module_name, _, name = import_path.rpartition(".")
    return getattr(importlib.import_module(module_name), name)


@contextmanager
def _drawn_alike(seed: int) -> Iterator[None]:
    """Let a constructor draw the same each time, whatever it draws from, and leave PyTorch's settings as they were.

    Keras, whose models may be modules, counts its layers' names from the start and draws its seeds from Python's generator.
    """
    import torch

    keras, kept, kept_of_numpy = sys.modules.get("keras"), random.getstate(), np.random.get_state()
    if keras is not None and hasattr(keras, "utils"):
        keras.utils.clear_session()
    random.seed(seed)
    np.random.seed(seed)
    dtype, threads, mode = torch.get_default_dtype(), torch.get_num_threads(), torch.get_deterministic_debug_mode()
    try:
        yield
    finally:
        random.setstate(kept)
        np.random.set_state(kept_of_numpy)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)


def _require_device(device: str) -> str:
    """Return the device, where this machine has it."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise NoGPUError("device: cuda needs a GPU that PyTorch can use, and there is none here")
    return device
