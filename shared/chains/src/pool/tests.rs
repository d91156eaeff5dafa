//! The pool against scripted nodes.
