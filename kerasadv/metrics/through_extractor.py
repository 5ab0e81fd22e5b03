"""What metrics have in common that compare sets of images by what a network sees in them."""

import keras

from kerasadv.features import inception_v3
from kerasadv.ops.embeddings import embeddings
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

    def embeddings(self, images):
        """Features of images, `(batch, features)`, in the largest float of the backend."""
        return embeddings(self._extractor(), images)

    def get_config(self):
        return {**super().get_config(), "extractor": pack_extractor(self._extractor())}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "extractor": unpack_extractor(config["extractor"])})
