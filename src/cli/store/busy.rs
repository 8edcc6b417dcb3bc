//! Who is working in a store.

use crate::store::StoreError;
use crate::store::gc::Busy;
use crate::store::lease::{Leases, Live};

/// Who is alive and holds leases beside this process.
pub(super) fn busy(leases: &Leases) -> Result<Busy, StoreError> {
    let live = leases.live()?;
    Ok(Busy { held: live.iter().filter_map(Live::stage).collect(), someone: !live.is_empty() })
}
