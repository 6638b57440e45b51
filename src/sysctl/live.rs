//! The values that the kernel uses now.
