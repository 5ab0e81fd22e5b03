"""The average of a network's weights over the steps of its training."""

import keras


def average_of(network):
    """A copy of a network, which it starts from and which is not trained."""
    average = keras.models.clone_model(network)
    average.set_weights(network.get_weights())
    average.trainable = False
    return average


def follow(average, network, momentum):
    """Move an average towards the weights of its network; a share of `momentum` of it stays."""
    for ours, theirs in zip(average.weights, network.weights):
        ours.assign(ours + (1 - momentum) * (theirs - ours))
