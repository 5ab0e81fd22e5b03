"""A generator and a discriminator of strided convolutions that learn to make pictures."""
