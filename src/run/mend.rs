//! What is done about damage in a store: it is told, set aside and made anew, and never passed over.

use crate::store::{Store, StoreError};

/// Sets the file that an error names aside, and says what that was in one line. None for an error that is no damage of a
/// file. Whatever the file held is made anew by running what made it.
///
/// # Errors
/// Whatever moving the file reports.
pub fn mend(store: &Store, error: &StoreError) -> Result<Option<String>, StoreError> {
    let Some(path) = error.damaged_path() else { return Ok(None) };
    let how = match error {
        StoreError::Lost { .. } => "a record names it, but it is gone".to_owned(),
        StoreError::Damaged { expected, found, .. } => {
            let (expected, found) = (expected.short(), found.short());
            format!("its bytes are not what was written (expected {expected}, found {found})")
        }
        StoreError::Unreadable { what, .. } => what.clone(),
        other => other.to_string(),
    };
    let place = if matches!(error, StoreError::Lost { .. }) {
        store.note_lost(path, &how)?;
        String::new()
    } else {
        match store.quarantine(path, &how)? {
            to if to == path => String::new(),
            to => format!("; it is in {} now", to.display()),
        }
    };
    Ok(Some(format!("damage: {}: {how}{place}; what it held is made anew", path.display())))
}
