//! Who is working in a store, as far as can be told.

use crate::store::StoreError;
use crate::store::gc::Busy;
use crate::store::lease::Leases;

/// Who holds leases. A process of another machine counts as alive, since nobody has waited for its beat; one of this
/// machine that is dead does not.
pub(super) fn busy(leases: &Leases) -> Result<Busy, StoreError> {
    let live = leases.live()?;
    Ok(Busy { held: live.iter().filter_map(|live| live.stage()).collect(), someone: !live.is_empty() })
}
