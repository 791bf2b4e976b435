//! The program: arguments to a headless command or the terminal.

fn main() {}
