"""The parts of the benchmark of a move. Each module with a function `measure(world)` is a section."""
