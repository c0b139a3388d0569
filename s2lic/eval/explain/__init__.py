"""Where the bits of a picture come from: relevance traced back to pixels, and the areas that stand out in it."""
