"""A classifier trained on labels of which some are wrong: model, data, noise, recipe, commands."""
