//! Guard: layer-2 sanity. Addresses that no bridge forwards, sources that no station has, and the bridge's own MACs.

use rules::Mac;

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::frame::nonce;
use crate::path::context::FrameContext;
use crate::path::packet::Frame;
use crate::path::stations::Station;

/// Refuses what no frame between two stations has. The address tests come before any look at the type (docs/spec F25).
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn guard(frame: &Frame<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let (dst, src) = (frame.ether.dst, frame.ether.src);
    if let Some(reason) = reserved(dst) {
        if let Some(kind) = bpdu(dst) {
            context.event(kind);
        }
        if dst == PVST {
            context.cause(Cause::PvstBpdu);
        }
        return Err(reason);
    }
    if !src.is_station() {
        return Err(if src == Mac::ZERO { Reason::SrcZero } else { Reason::SrcMulticast });
    }
    if dst == Mac::ZERO {
        return Err(Reason::DstZero);
    }
    if src == dst {
        return Err(Reason::SrcEqDst);
    }
    if frame.bridge.own.contains(&src) {
        return Err(own(frame, context));
    }
    Ok(())
}

/// [`guard`] lets a frame between two stations on opposite sides through, and there is nothing more to it: they are neither
/// groups nor zero nor we ourselves, and not one and the same.
#[inline(always)]
pub fn plain(_from: Station, _to: Station, dst: Mac) -> bool {
    dst.as_u64() >> 8 != EXTREME
}

/// A frame of our own came back. By itself it holds nothing, one frame however spoofed must not stop the bridge; whether it
/// is one of the probes that we sent is for the control side to say (docs/spec B.1).
#[cold]
fn own(frame: &Frame<'_>, context: &mut FrameContext<'_>) -> Reason {
    let side = frame.side();
    let sent = if frame.ether.src == frame.bridge.own(side) { side } else { side.other() };
    match nonce::carried(&frame.ether) {
        Some(nonce) if frame.bridge.tables.hold.has_probed(sent, nonce) => context.returned(sent),
        // also our own duplicate address detection: a reflection or a loop, and no duplicate (RFC 7527 §4.2)
        _ if sent == side => context.event(EventKind::Reflected),
        _ => context.event(EventKind::LoopSuspected),
    }
    Reason::OwnMac
}

/// The block of Extreme's EDP and EAPS: the one with reserved addresses that are no group's (docs/spec B.3).
const EXTREME: u64 = 0x00_e02b_0000;
/// 01:80:c2:00:00:00, spanning tree.
const BPDU: Mac = Mac::from_u64(0x0180_c200_0000);
/// Cisco's per-VLAN spanning tree.
const PVST: Mac = Mac::from_u64(0x0100_0ccc_cccd);

/// A group or vendor address that is never forwarded, from either side, on any tag (docs/spec B.3): why it is not.
#[inline]
pub fn reserved(dst: Mac) -> Option<Reason> {
    // the last byte alone differs within each block, and most frames are in none of the blocks
    match dst.as_u64() >> 8 {
        0x01_80c2_0000 | 0x01_000c_0000 | 0x01_000c_cccc | 0x01_000c_cdcd | EXTREME => reserved_in_block(dst),
        _ => None,
    }
}

fn reserved_in_block(dst: Mac) -> Option<Reason> {
    match dst.as_u64() {
        0x0180_c200_0000 => Some(Reason::L2ReservedBpdu),
        // 01-0f: never forwarded by a bridge; 20-2f: MRP applications; 30-3f: CFM (IEEE 802.1Q)
        0x0180_c200_0001..=0x0180_c200_003f => Some(Reason::L2Reserved),
        // ISL; PAgP, UDLD, CDP, DTP, VTP; PVST+; Cisco CFM; STP uplink fast
        0x0100_0c00_0000
        | 0x0100_0ccc_cccc
        | 0x0100_0ccc_cccd
        | 0x0100_0ccc_ccc0..=0x0100_0ccc_ccc7
        | 0x0100_0ccd_cdcd => Some(Reason::L2Vendor),
        // Extreme EDP and EAPS
        0x00e0_2b00_0000 | 0x00e0_2b00_0004 | 0x00e0_2b00_0006 => Some(Reason::L2Vendor),
        _ => None,
    }
}

/// The event that a spanning-tree frame raises: somebody is bridging.
pub fn bpdu(dst: Mac) -> Option<EventKind> {
    (dst == BPDU || dst == PVST).then_some(EventKind::BpduSeen)
}
