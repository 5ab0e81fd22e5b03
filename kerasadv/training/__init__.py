"""What surrounds models while they train: callbacks, strategies, recipes, and a second player."""

import importlib

# Each name with the file it lives in, loaded when it is first touched: some need TensorFlow.
_HOME = {
    "Checkpoint": "checkpoint",
    "GAN": "adversarial",
    "GameWatch": "game_watch",
    "GradientPenalty": "penalties",
    "LossTerms": "loss_terms",
    "NotANumber": "loss_terms",
    "R1": "penalties",
    "Ramp": "schedules",
    "TensorBoard": "tensorboard",
    "Terminated": "checkpoint",
    "strategy": "distribution",
    "warmup_cosine": "schedules",
}
__all__ = sorted([*_HOME, "recipe"])


def __getattr__(name):
    if name == "recipe":
        return importlib.import_module("kerasadv.training.recipe")
    if name not in _HOME:
        raise AttributeError(f"module 'kerasadv.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kerasadv.training.{_HOME[name]}"), name)


def __dir__():
    return __all__
