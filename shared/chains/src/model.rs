//! In work.
/// In work.
#[derive(Debug)]
pub struct ModelChain;
