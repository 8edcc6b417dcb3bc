//! Who is working in a store, as far as can be told.

use crate::base::fs;
use crate::store::gc::Busy;
use crate::store::{Store, StoreError, layout};

/// Who holds leases. One that nobody beats any more counts as held: it goes when the next run takes it over.
pub(super) fn busy(store: &Store) -> Result<Busy, StoreError> {
    let mut busy = Busy::default();
    for path in fs::list(&layout::leases(store.root()))? {
        busy.someone = true;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let key = name.split(['.', '-']).find_map(|part| part.parse().ok());
        busy.held.extend(key.map(crate::plan::StageKey));
    }
    Ok(busy)
}
