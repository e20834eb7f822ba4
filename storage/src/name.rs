//! What can be the name of an entry.

use longhaul_model::ErrorClass;

use crate::error::StoreError;

/// Refuses what is a path rather than a name, before any store is asked: it would lead elsewhere.
pub(crate) fn check_name(name: &[u8]) -> Result<(), StoreError> {
    let refuse = |why: &str| Err(StoreError::new(ErrorClass::BadName, why));
    match name {
        b"" => refuse("a name cannot be empty"),
        b"." | b".." => refuse("a name cannot be `.` or `..`"),
        _ if name.contains(&b'/') => refuse("a name cannot have a slash in it"),
        _ if name.contains(&0) => refuse("a name cannot have a NUL byte in it"),
        _ => Ok(()),
    }
}
