"""Parts that attention blocks share: heads, rules, lists of keys, curves, boundaries, sinks."""
