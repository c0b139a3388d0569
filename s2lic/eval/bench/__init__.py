"""How fast codecs are and how much memory they take, each case in a process of its own."""
