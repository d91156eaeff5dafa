//! The pool against scripted nodes.

mod broadcasts;
mod node;
mod providers;
mod reads;
mod testimonies;
mod trials;
