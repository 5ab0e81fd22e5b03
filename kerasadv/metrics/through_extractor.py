"""What metrics have in common that compare sets of images by what a network sees in them."""

import keras
from keras import ops

from kerasadv.features import inception_v3
from kerasadv.ops.embeddings import embeddings
from kerasadv.ops.weights import per_sample
from kerasadv.saving import pack_extractor, unpack_extractor


class ThroughExtractor(keras.metrics.Metric):
    """A metric of real and generated images that looks through an extractor. Abstract."""

    def __init__(self, extractor, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if isinstance(extractor, str) and extractor == "inception_v3":
            extractor = inception_v3()
        if not isinstance(extractor, keras.Model):
            raise ValueError(
                "`extractor`: expected a keras.Model or 'inception_v3'. "
                f"Received: extractor={extractor!r}"
            )
        # Not as an attribute: Keras saves the weights of what it finds there.
        self._extractor = lambda: extractor

    @property
    def value_range(self):
        """Values of black and white that the extractor takes; `None` if it does not say."""
        return getattr(self._extractor(), "value_range", None)

    def embeddings(self, y_true, y_pred, sample_weight):
        """Features, `(batch, features)`, and weights, `(batch,)`, of real and generated images.

        Both are in the largest float of the backend.
        """
        features = [embeddings(self._extractor(), images) for images in (y_true, y_pred)]
        if sample_weight is None:
            return [(x, ops.ones_like(x[:, 0])) for x in features]
        weight = per_sample(sample_weight)
        counts = [x.shape[0] for x in (*features, weight)]
        if len({count for count in counts if count is not None}) > 1:
            raise ValueError(
                "`sample_weight`: expected one weight for each real image and the generated one "
                f"beside it. Received: {counts[2]} weights, {counts[0]} real and {counts[1]} "
                "generated images"
            )
        return [(x, ops.cast(weight, x.dtype)) for x in features]

    def get_config(self):
        return {**super().get_config(), "extractor": pack_extractor(self._extractor())}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "extractor": unpack_extractor(config["extractor"])})
