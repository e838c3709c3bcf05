//! What an operator should hear of.

use rules::Mac;

use super::at::At;
use super::time::Time;

crate::base::reason::table! {
    /// What happened.
    EventKind {
        BpduSeen "bpdu_seen" "a spanning-tree BPDU arrived: this station is bridging";
        Reflected "own_mac_reflected" "a frame with our own MAC came back on its own side: something reflects";
        LoopSuspected "loop_suspected" "a frame with our own MAC came in on the other side: there is a second path";
        MacWrongSide "mac_wrong_side" "a pinned MAC spoke on the wrong side";
        MacBothSides "mac_both_sides" "a MAC is active on both sides: a duplicate or a loop";
        MacMoved "mac_moved" "a MAC moved to this side";
        MacFlapping "mac_flapping" "a MAC moved too often, or was claimed too often where it is not: it is refused for a while";
        MacTableFull "mac_table_full" "the side has learned all the addresses that it may";
        ArpNetBcast "arp_net_bcast" "ARP for a network or broadcast address: this station has a wrong netmask";
        ArpSpoof "arp_spoof" "ARP claims a member's address for this MAC";
        NdSpoof "nd_spoof" "neighbour discovery claims a member's address for this MAC";
        RaSeen "ra_seen" "a router advertisement: this station offers itself as default router";
        RedirectSeen "redirect_seen" "an ICMPv6 redirect";
        DadForMember "dad_for_member" "this station, not the owner, looks for duplicates of a member's address: it is about to use it";
        IpConflict "ip_conflict" "a second MAC claims an address: answers for it stop until one of them has been alone for a minute";
        IpConflictOwn "ip_conflict_own" "this station claims an address of the bridge's own";
        ProbeReflected "probe_reflected" "our own loop probe came back on the side that it was sent on: something reflects";
        LoopHeld "loop_held" "there is a loop: our probes came back across the bridge; flooding is held";
        LoopHealed "loop_healed" "no probe came back for a while: flooding goes on";
        OwnDuplicate "own_duplicate" "another station has an address of the bridge's own: the bridge keeps silent about it";
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Time,
    /// On which port, by index.
    pub port: usize,
    /// On which bridge and side; none where the frame belonged to none.
    pub at: Option<At>,
    /// What.
    pub kind: EventKind,
    /// The source MAC of the frame that showed it.
    pub mac: Mac,
}
