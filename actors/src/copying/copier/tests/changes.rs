//! What changes while it is copied.
