//! The shortcut of the fast path (`path.rs` says what the slow path is): a frame that every stage would let through
//! without a second look. It has one tag or none on both sides, carries plain TCP, UDP or ESP between two stations that are
//! known and where they should be, and fits. Nothing is written before the last of that is sure, and whatever is in
//! doubt takes the slow path. A property test holds the two to be equal.

use rules::{Mac, Side};

use super::verdict::Crossing;
use crate::base::At;
use crate::base::time::Time;
use crate::frame::buffer::Buffer;
use crate::frame::ether::{HEADER, MIN_FRAME, TAG, ethertype};
use crate::plan::Plan;
use crate::plan::bridge::BridgePlan;
use crate::plan::fast::FastRules;
use crate::plan::ports::PortMap;
use crate::table::fdb::{FdbLookup, FdbView, Learned};
use crate::table::static_fdb::{StaticHit, StaticView};

/// Layer-2 header with one tag.
const TAGGED: usize = HEADER + TAG;
/// A shorter frame takes the slow path: what follows is looked at without further ado.
const SEEN: usize = MIN_FRAME;

/// In a MAC's first byte: not one station.
const GROUP: u8 = 1;

/// Of a tag, what says which side a frame belongs to: not its priority.
const TAG_MASK: u32 = u32::from_ne_bytes([0xff, 0xff, 0x0f, 0xff]);
/// The other bits: PCP and DEI.
const PRIORITY: u16 = u16::from_ne_bytes([0xf0, 0]);

/// Where the frames of one burst may take the shortcut. It remembers what the last frame's tag led to, as the next one
/// mostly has the same.
#[derive(Debug)]
pub struct FastPath<'a> {
    plan: &'a Plan,
    port: Option<&'a PortMap>,
    now: Time,
    direction: Option<Direction<'a>>,
}

/// From one side to the other.
#[derive(Debug, Clone, Copy)]
struct Direction<'a> {
    from: At,
    bridge: &'a BridgePlan,
    static_fdb: StaticView<'a>,
    rules: FastRules,
    macs: FdbView<'a>,
    now: Time,
}

impl<'a> FastPath<'a> {
    /// For a burst that a port received now.
    #[inline]
    pub fn new(plan: &'a Plan, port: usize, now: Time) -> FastPath<'a> {
        FastPath { plan, port: plan.ports.get(port), now, direction: None }
    }

    /// Takes the frames in front of a burst that can all go the way of the first one: how many, and as one crossing with
    /// all their bytes.
    #[inline]
    pub fn front<B: Buffer>(&mut self, burst: &mut [B]) -> Option<(Crossing, usize)> {
        let direction = self.direction(burst.first()?.bytes())?;
        if direction.macs.is_large() {
            direction.prefetch(burst);
        }
        direction.cross_all(burst.iter_mut())
    }

    /// [`FastPath::front`] for a burst that is in reverse.
    #[inline]
    pub fn back(&mut self, burst: &mut [impl Buffer]) -> Option<(Crossing, usize)> {
        let direction = self.direction(burst.last()?.bytes())?;
        direction.cross_all(burst.iter_mut().rev())
    }

    /// Takes the shortcut with one frame, or `None` and nothing done.
    #[inline]
    pub fn cross(&mut self, frame: &mut impl Buffer) -> Option<Crossing> {
        let direction = self.direction(frame.bytes())?;
        let bytes = match direction.rules.tag {
            Some(_) => direction.cross::<TAGGED>(frame)?,
            None => direction.cross::<HEADER>(frame)?,
        };
        Some(Crossing { port: direction.rules.port, from: direction.from, bytes })
    }

    /// The direction of a frame, by its tag.
    #[inline(always)]
    fn direction(&mut self, frame: &[u8]) -> Option<Direction<'a>> {
        let head: &[u8; SEEN] = frame.first_chunk()?;
        if head[0] & GROUP != 0 {
            return None; // of no use in a storm
        }
        let tag = Some(tag(head)).filter(|_| [head[12], head[13]] == ethertype::CTAG.to_be_bytes());
        if let Some(direction) = self.direction.filter(|direction| direction.rules.tag == tag) {
            return Some(direction);
        }
        let port = self.port?;
        let from = match tag {
            Some(_) => port.single(u16::from_be_bytes([head[14] & 0x0f, head[15]]))?,
            None => port.untagged()?,
        };
        let bridge = self.plan.bridge(from.bridge);
        let macs = bridge.tables.macs.view(self.now, &bridge.rules.macs);
        self.direction = Some(Direction {
            from,
            bridge,
            static_fdb: bridge.static_fdb.view(),
            rules: *bridge.fast(from.side),
            macs,
            now: self.now,
        });
        self.direction
    }
}

#[inline(always)]
fn tag(head: &[u8; SEEN]) -> u32 {
    four(head, 12) & TAG_MASK
}

/// Destination and source.
#[inline(always)]
fn addresses(head: &[u8; SEEN]) -> (Mac, Mac) {
    let (dst, src) = (u64::from_be(eight(head, 0)) >> 16, u64::from_be(eight(head, 4)) & 0xffff_ffff_ffff);
    (Mac::from_u64(dst), Mac::from_u64(src))
}

impl Direction<'_> {
    /// Asks for all addresses of a burst, so that their cache lines come side by side, and while the headers are judged.
    #[inline(never)]
    fn prefetch<B: Buffer>(&self, burst: &[B]) {
        for head in burst.iter().filter_map(|frame| frame.bytes().first_chunk()) {
            let (dst, src) = addresses(head);
            B::prefetch(self.macs.place(dst));
            B::prefetch(self.macs.place(src));
        }
    }

    /// Takes the first frames, as many as can go this way: as one crossing, and their number; `None` where that is 0.
    #[inline]
    fn cross_all<'b, B: Buffer + 'b>(
        &self,
        burst: impl Iterator<Item = &'b mut B>,
    ) -> Option<(Crossing, usize)> {
        let (frames, bytes) = match self.rules.tag {
            Some(_) => self.cross_each::<TAGGED, B>(burst),
            None => self.cross_each::<HEADER, B>(burst),
        };
        (frames > 0).then_some((Crossing { port: self.rules.port, from: self.from, bytes }, frames))
    }

    #[inline(never)] // so that it has the registers for itself
    fn cross_each<'b, const L3: usize, B: Buffer + 'b>(
        &self,
        burst: impl Iterator<Item = &'b mut B>,
    ) -> (usize, usize) {
        let (mut frames, mut bytes) = (0, 0);
        for frame in burst {
            let Some(length) = self.cross::<L3>(frame) else { break };
            frames += 1;
            bytes += length;
        }
        (frames, bytes)
    }

    /// Lets a frame cross, if every stage would let it through; `L3` is where its packet begins. Its length.
    #[inline(always)]
    fn cross<const L3: usize>(&self, frame: &mut impl Buffer) -> Option<usize> {
        if !frame.is_whole() {
            return None;
        }
        let rules = &self.rules;
        let bytes = frame.bytes_mut();
        let carried = bytes.len().wrapping_sub(L3);
        let head: &[u8; SEEN] = bytes.first_chunk()?;
        if carried > rules.room || (L3 == TAGGED && Some(tag(head)) != rules.tag) {
            return None;
        }
        let plain = match u16::from_ne_bytes([head[L3 - 2], head[L3 - 1]]) {
            IPV4 if rules.ipv4 => ipv4(rules, head[L3..].first_chunk()?, carried),
            IPV6 => ipv6(rules, bytes[L3..].first_chunk()?, carried),
            _ => false,
        };
        let (dst, src) = addresses(head);
        // Who is known is a station, neither a group nor we ourselves, and not on both sides: no need to look at that.
        if !plain || dst.as_u64() >> 8 == EXTREME {
            return None;
        }
        let here = self.known(src, self.from.side);
        let there = self.known(dst, self.from.side.other());
        if here == FdbLookup::Miss
            || there == FdbLookup::Miss
            || (here == FdbLookup::HitStale && !self.refresh(src))
        {
            return None;
        }
        if L3 == TAGGED {
            let place: &mut [u8; SEEN] = bytes.first_chunk_mut()?;
            // PCP and DEI are the sender's: a bridge keeps them (docs/spec B.4)
            let tci = u16::from_ne_bytes([place[14], place[15]]) & PRIORITY | rules.vid;
            [place[14], place[15]] = tci.to_ne_bytes();
        }
        Some(bytes.len())
    }

    /// Whether a station is on a side: pinned to it, or learned.
    #[inline(always)]
    fn known(&self, mac: Mac, side: Side) -> FdbLookup {
        match self.static_fdb.lookup_from(mac, side) {
            StaticHit::Here => FdbLookup::Hit,
            StaticHit::Unlisted if self.rules.learned => self.macs.known(mac, side),
            StaticHit::Roaming => self.macs.known(mac, side),
            StaticHit::Unlisted | StaticHit::Elsewhere => FdbLookup::Miss,
        }
    }

    /// The source was heard again; false where that changed anything else.
    #[cold]
    #[inline(never)]
    fn refresh(&self, src: Mac) -> bool {
        let learn = || {
            let macs = &self.bridge.tables.macs;
            macs.learn(src, self.from.side, self.now, &self.bridge.rules.macs, || false) == Learned::Known
        };
        self.macs.refresh(src, self.from.side) || learn()
    }
}

/// As in a frame's bytes.
const IPV4: u16 = ethertype::IPV4.to_be();
const IPV6: u16 = ethertype::IPV6.to_be();

/// EDP and EAPS are no group addresses, and reserved all the same (docs/spec B.3).
const EXTREME: u64 = 0x00_e02b_0000;

/// No options, no fragment, whole, its checksum right, from and to hosts, TCP, UDP or ESP and nobody's DHCP.
#[inline(always)]
fn ipv4(rules: &FastRules, b: &[u8; 24], carried: usize) -> bool {
    /// Version and header length, MF and the fragment's offset: the first eight bytes that must be as in `FIRST`.
    const MASK: u64 = u64::from_ne_bytes([0xff, 0, 0, 0, 0, 0, 0x3f, 0xff]);
    const FIRST: u64 = u64::from_ne_bytes([0x45, 0, 0, 0, 0, 0, 0, 0]);
    // TTL, protocol, checksum; source and destination
    let (first, middle, ends) = (eight(b, 0), four(b, 8), eight(b, 12));
    let total = usize::from(u16::from_be_bytes([b[2], b[3]]));
    // RFC 1071 §2 (B), (C): in whatever byte order, many bits at a time; all ones is right, which is to say a multiple of
    // that, but for 0, and as the first byte is not 0 the sum is not either
    let (sum, carry) = first.overflowing_add(ends);
    let sum = (sum >> 32) + (sum & 0xffff_ffff) + u64::from(middle) + u64::from(carry);
    // which is which matters to nothing here
    let [src, dst] = [ends as u32, (ends >> 32) as u32];
    let hosts = is_host(src) & is_host(dst);
    // 28: a header, and what protocols without a check of their length here have at least
    let fits = total.wrapping_sub(28) <= carried.wrapping_sub(28);
    if !((first & MASK == FIRST) & fits & (sum % 0xffff == 0) & hosts) {
        return false;
    }
    let [one, two] = rules.broadcasts;
    let broadcast = (src == one) | (src == two) | (dst == one) | (dst == two);
    !broadcast && passes(rules, b[9], four(b, 20))
}

/// An address can be a host's.
#[inline(always)]
fn is_host(address: u32) -> bool {
    HOSTS[usize::from(address.to_ne_bytes()[0])]
}

/// Four bytes, in their order.
#[inline(always)]
fn four<const N: usize>(b: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes(*b[at..].first_chunk().unwrap_or(&[0; 4]))
}

/// Eight bytes, in their order.
#[inline(always)]
fn eight<const N: usize>(b: &[u8; N], at: usize) -> u64 {
    u64::from_ne_bytes(*b[at..].first_chunk().unwrap_or(&[0; 8]))
}

/// No extension header, whole, from and to hosts (their upper half is neither zero nor a group's), TCP, UDP or ESP.
#[inline(always)]
fn ipv6(rules: &FastRules, b: &[u8; 44], carried: usize) -> bool {
    let length = usize::from(u16::from_be_bytes([b[4], b[5]]));
    let host = |at: usize| b[at] != 0xff && eight(b, at) != 0;
    let whole = (b[0] >> 4 == 6) & (length >= 8) & (40 + length <= carried);
    whole && host(8) && host(24) && passes(rules, b[6], four(b, 40))
}

/// By protocol and ports: nothing that another stage looks into. (DHCP's ports are nothing to TCP or ESP, but hardly any
/// frame of theirs has them.)
#[inline(always)]
fn passes(rules: &FastRules, protocol: u8, ports: u32) -> bool {
    let plain = rules.plain.checked_shr(protocol.into()).unwrap_or(0) & 1 != 0;
    plain && (!may_be_dhcp(ports) || !is_dhcp(ports.to_ne_bytes()))
}

/// By the upper halves of the two ports, which are 0 or 2 in those of DHCP: few other ports' are.
#[inline(always)]
const fn may_be_dhcp(ports: u32) -> bool {
    let [src, _, dst, _] = ports.to_ne_bytes();
    (src & !2 == 0) | (dst & !2 == 0)
}

/// DHCP and DHCPv6.
#[inline(never)]
fn is_dhcp([a, b, c, d]: [u8; 4]) -> bool {
    [[a, b], [c, d]].into_iter().any(|port| matches!(u16::from_be_bytes(port), 67 | 68 | 546 | 547))
}

/// By an address's first byte: it can be a host's (RFC 1812 §5.3.7).
const HOSTS: [bool; 256] = {
    let mut hosts = [true; 256];
    let mut first = 224;
    while first < 256 {
        hosts[first] = false;
        first += 1;
    }
    hosts[0] = false;
    hosts[127] = false;
    hosts
};
