//! The one table of outcomes. Every frame ends forwarded, answered, or dropped for one [`Reason`]; what is worth counting
//! beside the outcome is a [`Cause`]. Counter names, the stages that decide, the help texts and `docs/REASONS.md` all come
//! from here.

/// Declares an enum whose variants carry a counter name and a help text.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $label:literal $help:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $help] $variant),+ }

        impl $name {
            /// All of them, in the order of the table.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// How many there are.
            pub const COUNT: usize = $name::ALL.len();

            /// The name in counters, logs, captures and docs.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $label),+ }
            }

            /// What it means, for an operator.
            pub const fn help(self) -> &'static str {
                match self { $($name::$variant => $help),+ }
            }

            /// Its place in an array of counters.
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

pub(crate) use table;

/// `table!` for reasons: grouped by the stage that decides.
macro_rules! reasons {
    ($($stage:ident { $($variant:ident $label:literal $help:literal;)+ })+) => {
        table! {
            /// Why a frame was dropped.
            Reason { $($($variant $label $help;)+)+ }
        }

        impl Reason {
            /// The stage that drops for it.
            pub const fn stage(self) -> Stage {
                match self { $($(Reason::$variant => Stage::$stage,)+)+ }
            }
        }
    };
}

table! {
    /// What a worker does with frames, in order.
    Stage {
        Receive "receive" "a port gives a burst";
        // this label, and that of `Snoop`, are older than the terms: labels are never renamed
        FastPath "shortcut" "the frame passes every stage without side effect, and none of those below sees it";
        Admit "admit" "port and tags decide the side";
        Guard "guard" "layer-2 sanity, reserved addresses, the bridge's own MACs";
        Filter "filter" "what an exchange lets through";
        Learn "learn" "who may speak, and on which side";
        Police "police" "storm limits of broadcast and multicast";
        Snoop "hear" "what an owner says of its addresses";
        Answer "answer" "frames for the bridge itself";
        Forward "forward" "where the destination is";
        Fit "fit" "the egress side's MTU";
        Transmit "transmit" "the egress port's queue";
    }
}

reasons! {
    Admit {
        Runt "runt" "no whole Ethernet header (under 14 bytes; 18 on a tagged port)";
        OversizeBuffer "oversize_buffer" "longer than the port's receive buffers: no side has such an MTU";
        VlanUntagged "vlan_untagged" "untagged frame on a port without an untagged side";
        VlanPrioTag "vlan_prio_tag" "priority tag (VID 0): never taken for native";
        VlanReserved "vlan_reserved" "VID 4095 is reserved";
        VlanUnknown "vlan_unknown" "VID of no side of this port";
        InnerTag "inner_tag" "one tag more than the side has (VLAN hopping)";
        Tpid "tpid" "tag protocol that the side does not use (0x88a8, 0x9100, 0x9200)";
    }
    Guard {
        L2ReservedBpdu "l2_reserved_bpdu" "spanning-tree BPDU (01:80:c2:00:00:00): somebody is bridging";
        L2Reserved "l2_reserved" "reserved bridge group address (01:80:c2:00:00:01 to 3f): LLDP, LACP, pause, MRP, CFM";
        L2Vendor "l2_vendor" "vendor group address: CDP, VTP, UDLD, PVST+, ISL, EDP, EAPS";
        SrcMulticast "src_multicast" "source MAC is a group address";
        SrcZero "src_zero" "source MAC is zero";
        DstZero "dst_zero" "destination MAC is zero";
        SrcEqDst "src_eq_dst" "source and destination MAC are the same (keepalive, loop test)";
        OwnMac "own_mac" "source is one of the bridge's own MACs: a reflection or a loop";
    }
    Filter {
        Llc "llc" "802.3 length field (LLC/SNAP): only Ethernet II passes";
        EthertypeUndefined "ethertype_undefined" "type field from 1501 to 1535: neither length nor type";
        Ethertype "ethertype" "neither IPv4, ARP nor IPv6";
        VersionMismatch "version_mismatch" "IPv6 header under the IPv4 ethertype or the reverse";
        V4Truncated "v4_truncated" "IPv4 packet longer than the frame";
        V4Malformed "v4_malformed" "IPv4 version, header length or total length impossible";
        V4Broadcast "v4_broadcast" "IPv4 to 255.255.255.255";
        V4DirectedBroadcast "v4_directed_broadcast" "IPv4 to a peering prefix's broadcast address";
        V4MartianSrc "v4_martian_src" "IPv4 source that no host can have";
        V4MartianDst "v4_martian_dst" "IPv4 destination in 0/8 or 127/8";
        Icmp4Type "icmp4_type" "ICMP redirect or router discovery (types 5, 9, 10)";
        Dhcp "dhcp" "DHCP or DHCPv6 of the exchange's own addresses";
        V6Truncated "v6_truncated" "IPv6 packet longer than the frame";
        V6Malformed "v6_malformed" "IPv6 version impossible, or a jumbogram";
        V6Martian "v6_martian" "IPv6 source or destination that cannot be (::, ::1, group source)";
        V6Hdrchain "v6_hdrchain" "IPv6 header chain without an upper layer in reach (256 bytes, 8 headers)";
        V6McastFragment "v6_mcast_fragment" "later fragment to an IPv6 group";
        L2BroadcastIp "l2_broadcast_ip" "IP packet in a broadcast frame";
        L2Multicast "l2_multicast" "unicast IPv4, or ARP, in a group frame";
        L2mcastL3ucast "l2mcast_l3ucast" "unicast IPv6 in a group frame";
        L3Multicast "l3_multicast" "IP multicast other than neighbour discovery";
        ArpTruncated "arp_truncated" "ARP cut short";
        ArpMalformed "arp_malformed" "not ARP for IPv4 over Ethernet, or a sender MAC that is no station";
        ArpOp "arp_op" "ARP operation other than request and reply";
        ArpShaMismatch "arp_sha_mismatch" "ARP sender MAC is not the frame's source";
        ArpNotWix "arp_not_wix" "ARP for or from an address outside the peering prefixes";
        ArpNetBcast "arp_net_bcast" "ARP for a network or broadcast address: a wrong netmask";
        Drain "drain" "BGP between peering addresses, and `drain` is on";
        ArpSpoof "arp_spoof" "ARP claims a member's address for another MAC";
        Icmp6Ra "icmp6_ra" "router advertisement";
        Icmp6Rs "icmp6_rs" "router solicitation";
        Icmp6Redirect "icmp6_redirect" "ICMPv6 redirect";
        Icmp6Mld "icmp6_mld" "multicast listener discovery, and `mld` is `drop` or the message is not a proper one";
        Icmp6Type "icmp6_type" "ICMPv6 type of link scope or reserved";
        NdFragment "nd_fragment" "fragmented neighbour discovery (RFC 6980)";
        NdExthdr "nd_exthdr" "neighbour discovery behind an extension header";
        NdHoplimit "nd_hoplimit" "neighbour discovery with a hop limit other than 255";
        NdCode "nd_code" "neighbour discovery with a code other than 0";
        NdShort "nd_short" "neighbour discovery cut short";
        NdChecksum "nd_checksum" "neighbour discovery with a wrong checksum";
        NdTarget "nd_target" "neighbour discovery target is a group, or not what a unicast solicitation is sent to";
        NdOption "nd_option" "neighbour discovery option of length 0, wrong length, or past the end";
        NdDadDst "nd_dad_dst" "duplicate address detection not sent to a solicited-node group";
        NdDadSllao "nd_dad_sllao" "duplicate address detection with a source link-layer address";
        NdLladdrMismatch "nd_lladdr_mismatch" "link-layer address option is not the frame's source";
        NdMcastMap "nd_mcast_map" "group MAC, IPv6 group and target do not belong together";
        NdNotWix "nd_not_wix" "neighbour discovery for or from an address outside the peering prefixes and fe80::/10";
        NaInvalid "na_invalid" "advertisement to a group with the solicited flag, or to a strange group";
        NdSpoof "nd_spoof" "neighbour discovery claims a member's address for another MAC";
    }
    Learn {
        SrcNotMember "src_not_member" "source MAC is no member's, and admission is by membership";
        MacWrongSide "mac_wrong_side" "source MAC is pinned to the other side";
        MacBothSides "mac_both_sides" "source MAC is active on the other side: a duplicate or a loop";
        MacFlapping "mac_flapping" "source or destination MAC is in quarantine for moving too often";
        MacTableFull "mac_table_full" "the side has learned all the addresses that it may";
        MacNewLimit "mac_new_limit" "the side shows new addresses faster than it may";
    }
    Police {
        BcastLimit "bcast_limit" "over the side's broadcast limit";
        McastLimit "mcast_limit" "over the side's multicast limit";
        MacLimit "mac_limit" "over the source MAC's broadcast and multicast limit";
        DadLimit "dad_limit" "duplicate address detection for a member's address, more often than its owner should have to answer";
    }
    Answer {
        ToUsNotOurs "to_us_not_ours" "for the bridge itself, which routes nothing and has no such service or address";
        IpConflictOwn "ip_conflict_own" "somebody else claims an address of the bridge's own";
        AnswerLimit "answer_limit" "for the bridge itself, over the side's limit of replies";
        ArpSameSide "arp_same_side" "ARP request whose target hears it itself: not sent across";
        NdSameSide "nd_same_side" "neighbour solicitation whose target hears it itself: not sent across";
    }
    Forward {
        LoopHold "loop_hold" "flooding is held: there is a loop between the sides";
        DstLocal "dst_local" "destination is on the side that the frame came from";
        DstNotMember "dst_not_member" "destination MAC is no member's, and admission is by membership";
        UnknownUnicast "unknown_unicast" "destination unknown, and such frames are dropped";
        UnknownUnicastLimit "unknown_unicast_limit" "destination unknown, over the side's limit of such frames";
    }
    Fit {
        TooBig "too_big" "does not fit the egress side's MTU";
        TooBigV4Nodf "too_big_v4_nodf" "IPv4 without DF that does not fit the egress side's MTU";
        FrameTooLong "frame_too_long" "the packet fits, but what trails it does not";
        NoHeadroom "no_headroom" "no room in the buffer for the egress side's tags";
    }
    Transmit {
        TxFull "tx_full" "the egress port's queue was full";
    }
}

table! {
    /// What is counted beside the outcome.
    Cause {
        V4BadChecksum "v4_bad_checksum" "IPv4 header checksum wrong: passed, the receiver judges";
        OverIngressMtu "over_ingress_mtu" "larger than the ingress side's MTU";
        MacNew "mac_new" "address learned";
        MacMove "mac_move" "address moved to the other side";
        UnknownFlooded "unknown_flooded" "sent to the other side because the destination is unknown";
        PvstBpdu "pvst_bpdu" "PVST+ BPDU (01:00:0c:cc:cc:cd)";
        ArpSpoofPassed "arp_spoof_passed" "ARP claim of a member's address by another MAC, passed (`conflict: pass`)";
        NdSpoofPassed "nd_spoof_passed" "ND claim of a member's address by another MAC, passed (`conflict: pass`)";
        DadAnycast "dad_anycast" "duplicate address detection for an anycast address: passed, and suspicious";
        AnsweredForOwner "answered_for_owner" "answered on behalf of the owner, and so not sent on: a broadcast or multicast saved";
        AnsweredAndBridged "answered_and_bridged" "answered on behalf of the owner, and sent on to it as well";
        AnswerLimited "answer_limited" "not answered on behalf of the owner, over the side's limit of replies: bridged";
        OwnLost "own_lost" "a reply, probe or fragment of the bridge's own was not sent: no buffer, or the queue was full";
        Fragmented "fragmented" "IPv4 packet sent on in fragments";
        PtbSent "ptb_sent" "Packet Too Big or Fragmentation Needed sent";
        PtbAnycastSrc "ptb_anycast_src" "no error sent: the source is an anycast address";
        PtbNoSource "ptb_no_source" "no error sent: `own` has no address to send it from";
        PtbIcmpError "ptb_icmp_error" "no error sent: it would be about an ICMP error";
        PtbRedirect "ptb_redirect" "no error sent: it would be about a redirect";
        PtbFragment "ptb_fragment" "no error sent: it would be about a later IPv4 fragment";
        PtbBadChecksum "ptb_bad_checksum" "no error sent: the IPv4 header is damaged";
        PtbInvalidSrc "ptb_invalid_src" "no error sent: the source is no single host";
        PtbGroup "ptb_group" "no error sent: it went to a group";
        PtbScope "ptb_scope" "no error sent: link-local source, global destination";
        PtbOwn "ptb_own" "no error sent: the source is the bridge itself";
        PtbRatelimitedSource "ptb_ratelimited_source" "no error sent: over the source's limit";
        PtbRatelimitedMac "ptb_ratelimited_mac" "no error sent: over the MAC's limit";
        PtbRatelimitedSide "ptb_ratelimited_side" "no error sent: over the side's limit";
        EthertypePppoe "ethertype_pppoe" "0x8863, 0x8864";
        EthertypeMpls "ethertype_mpls" "0x8847, 0x8848";
        EthertypeLldp "ethertype_lldp" "0x88cc";
        EthertypeSlow "ethertype_slow_protocols" "0x8809";
        EthertypePause "ethertype_pause" "0x8808";
        EthertypeWol "ethertype_wake_on_lan" "0x0842";
        EthertypeMop "ethertype_mop" "0x6001, 0x6002";
        EthertypeKeepalive "ethertype_keepalive" "0x9000";
        EthertypeLoopProtect "ethertype_loop_protect" "0x9003";
        EthertypeLocal "ethertype_local_experimental" "0x88b5, 0x88b6, 0x88b7";
        EthertypeOther "ethertype_other" "any other";
    }
}

/// The reference page of outcomes, in Markdown: what `docs/REASONS.md` must be.
pub fn page() -> String {
    let mut page = String::from(
        "# What happens to a frame\n\n<!-- Made from pipeline/src/base/reason.rs by `sluice reasons`; a test compares. -->\n\n\
         Every frame received ends `forwarded`, `answered`, or dropped for exactly one of these reasons. The stages are in\n\
         the order that a frame meets them.\n",
    );
    let decides = |stage: &&Stage| Reason::ALL.iter().any(|reason| reason.stage() == **stage);
    for stage in Stage::ALL.iter().filter(decides) {
        page += &format!("\n## {}: {}\n\n| reason | meaning |\n|---|---|\n", stage.name(), stage.help());
        for reason in Reason::ALL.iter().filter(|reason| reason.stage() == *stage) {
            page += &format!("| `{}` | {} |\n", reason.name(), reason.help());
        }
    }
    page += "\n## Causes: counted beside the outcome\n\n| cause | meaning |\n|---|---|\n";
    for cause in Cause::ALL {
        page += &format!("| `{}` | {} |\n", cause.name(), cause.help());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_across_reasons_and_causes() {
        let names: Vec<_> =
            Reason::ALL.iter().map(|r| r.name()).chain(Cause::ALL.iter().map(|c| c.name())).collect();
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn the_committed_page_is_the_table() {
        let committed = include_str!("../../../docs/REASONS.md");
        assert!(
            committed == page(),
            "docs/REASONS.md is stale: run `cargo run --bin sluice reasons > docs/REASONS.md`"
        );
    }
}
