"""The analysis and synthesis transforms, between a picture and its latent y at stride 16."""
