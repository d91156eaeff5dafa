//! The operator's command line of Causeway.

fn main() {}
