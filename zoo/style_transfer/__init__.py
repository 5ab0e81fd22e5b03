"""A network that paints photos in several styles: model, data, recipe, and commands."""
