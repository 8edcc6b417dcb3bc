//! Who is working in a store.

use crate::base::digest::Digest;
use crate::plan::StageKey;
use crate::store::StoreError;
use crate::store::gc::{Busy, LEASE};
use crate::store::lease::Leases;

/// Who is alive and holds leases beside this process. A stage's lease goes by its key.
pub(super) fn busy(leases: &Leases) -> Result<Busy, StoreError> {
    let live: Vec<String> =
        leases.live()?.into_iter().map(|live| live.name).filter(|name| name != LEASE).collect();
    let held = live.iter().filter_map(|name| name.parse::<Digest>().ok()).map(StageKey).collect();
    Ok(Busy { held, someone: !live.is_empty() })
}
