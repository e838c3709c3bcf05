//! Answer: frames for the bridge itself. It routes nothing: what is sent to one of its own MACs ends here.

use rules::Mac;

use crate::plan::BridgePlan;
use crate::reason::Reason;

/// Ends what is for the bridge itself, on whichever side its MAC is (SPEC F37).
#[inline]
pub fn answer(bridge: &BridgePlan, dst: Mac) -> Result<(), Reason> {
    if bridge.own.contains(&dst) { Err(Reason::ToUsNotOurs) } else { Ok(()) }
}
