//! The one contract suite that both sides pass.
