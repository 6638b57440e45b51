//! The values that the loaders will set.
