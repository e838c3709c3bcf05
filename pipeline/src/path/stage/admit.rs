//! Admit: port and tags decide the side. Exact: no native VLAN, no tag more or less than the side has (docs/spec B.4).

use crate::base::At;
use crate::base::reason::Reason;
use crate::frame::ether::{Ether, HEADER, MACS, TAG, ethertype, type_at, vid_at};
use crate::frame::words::four;
use crate::plan::fast::AdmitRules;
use crate::plan::ports::PortMap;

/// The side that a frame belongs to, and its header.
///
/// # Errors
/// The reason that it belongs to none.
#[inline]
pub fn admit<'a>(port: &PortMap, bytes: &'a [u8]) -> Result<(At, Ether<'a>), Reason> {
    let outer = type_at(bytes, 0).ok_or(Reason::Runt)?;
    let (at, depth) = if outer == ethertype::CTAG {
        (single(port, bytes)?, 1)
    } else if outer == ethertype::STAG && port.has_double() {
        (double(port, bytes)?, 2)
    } else if ethertype::is_tag(outer) {
        return Err(if bytes.len() < HEADER + TAG { Reason::Runt } else { Reason::Tpid });
    } else {
        // on a tagged port a header is not whole without its tag (docs/spec F16)
        let short = bytes.len() < HEADER + TAG;
        (port.untagged().ok_or(if short { Reason::Runt } else { Reason::VlanUntagged })?, 0)
    };
    let ether = Ether::parse(bytes, depth).ok_or(Reason::Runt)?;
    if ethertype::is_tag(ether.ethertype) {
        return Err(Reason::InnerTag);
    }
    Ok((at, ether))
}

/// Of a tag with its TPID, as a word in the order of a frame's bytes, what says which side a frame belongs to: not its
/// priority.
const TAG_MASK: u32 = u32::from_ne_bytes([0xff, 0xff, 0x0f, 0xff]);

/// The first tag of a frame, if that is what it has behind its addresses, as in [`AdmitRules`].
#[inline(always)]
pub fn tag<const N: usize>(head: &[u8; N]) -> u32 {
    four(head, MACS) & TAG_MASK
}

/// [`admit`] gives a frame with this head to the side of these rules. `L3` is where the packet of such a frame begins.
#[inline(always)]
pub fn plain<const L3: usize, const N: usize>(rules: AdmitRules, head: &[u8; N]) -> bool {
    // on an untagged side what follows is the type, which is the filter's to judge: a tag is none that it lets through
    L3 == HEADER || Some(tag(head)) == rules.tag
}

#[inline]
fn single(port: &PortMap, bytes: &[u8]) -> Result<At, Reason> {
    if bytes.len() < HEADER + TAG {
        return Err(Reason::Runt);
    }
    let vid = vid_at(bytes, 0).ok_or(Reason::Runt)?;
    port.single(vid).ok_or_else(|| usable(vid).err().unwrap_or(Reason::VlanUnknown))
}

fn double(port: &PortMap, bytes: &[u8]) -> Result<At, Reason> {
    if bytes.len() < HEADER + TAG {
        return Err(Reason::Runt);
    }
    let outer = vid_at(bytes, 0).ok_or(Reason::Runt)?;
    usable(outer)?;
    if !port.has_outer(outer) {
        return Err(Reason::VlanUnknown);
    }
    match type_at(bytes, 1).ok_or(Reason::Runt)? {
        ethertype::CTAG => {}
        other if ethertype::is_tag(other) => return Err(Reason::Tpid),
        _ => return Err(Reason::VlanUntagged),
    }
    if bytes.len() < HEADER + 2 * TAG {
        return Err(Reason::Runt);
    }
    let inner = vid_at(bytes, 1).ok_or(Reason::Runt)?;
    usable(inner)?;
    port.double(outer, inner).ok_or(Reason::VlanUnknown)
}

/// No side has VID 0 (a priority tag: taking it for native is how VLANs are hopped) or 4095.
fn usable(vid: u16) -> Result<(), Reason> {
    match vid {
        0 => Err(Reason::VlanPrioTag),
        4095 => Err(Reason::VlanReserved),
        _ => Ok(()),
    }
}
