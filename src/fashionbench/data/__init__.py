"""The data sets: Fashion-MNIST, a person's own folder, drawn silhouettes; reading pictures."""
