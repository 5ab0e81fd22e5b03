"""A U-Net: model, data, recipe, and commands to train and to predict."""
