//! How a frame is known again where it arrives.

use clap::ValueEnum;
use vm_memory::{VolatileMemory, VolatileSlice};

use crate::frames::{IP6, Kind, SOLICITATION, STAMP, Side, build, ether_length, mark_at, stamp_at};

/// What the device under test does to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// The tag becomes that of the side where the frame arrives.
    Bridge,
    /// The two addresses change places.
    Macswap,
    /// Nothing.
    Io,
    /// Frames are not looked at.
    None,
}

/// What the frames of one kind have in common, as they arrive at one side.
struct Template {
    kind: Kind,
    /// Of the first [`Template::WORDS`] words, each 8 bytes: which bits are the same in all frames, and what they are.
    words: [(u64, u64); Self::WORDS],
    /// Where 4 bytes end with the flow. It must be the same in each.
    flows: [usize; 3],
    /// Where the header says how long what follows is, and what comes before that; or, without a place, the whole length.
    length: (Option<usize>, usize),
    stamp: Option<usize>,
}

impl Template {
    const WORDS: usize = 5;

    fn new(kind: Kind, from: Side, vlan: Option<u16>, swapped: bool) -> Self {
        let mut chance = fastrand::Rng::with_seed(kind as u64);
        let samples: Vec<Vec<u8>> = (0..128)
            .map(|_| {
                let mut frame =
                    build(kind, from, chance.u32(..1 << 24), chance.usize(60..2000), vlan, chance.bool());
                if swapped {
                    frame[..12].rotate_left(6);
                }
                frame
            })
            .collect();
        let words = std::array::from_fn(|word| {
            let value =
                |frame: &Vec<u8>| u64::from_ne_bytes(std::array::from_fn(|byte| frame[8 * word + byte]));
            let same = |byte: &usize| {
                samples.iter().all(|frame| frame[8 * word + byte] == samples[0][8 * word + byte])
            };
            let mask: u64 =
                u64::from_ne_bytes(std::array::from_fn(|byte| if same(&byte) { 0xff } else { 0 }));
            (mask, value(&samples[0]) & mask)
        });
        let ether = ether_length(vlan.is_some());
        let sender = if swapped { 2 } else { 8 };
        let inner = match kind {
            Kind::Ip4 | Kind::Ip6 | Kind::Broadcast => mark_at(kind, vlan.is_some()).unwrap_or_default() + 2,
            Kind::Arp | Kind::ForeignArp => ether + 10,
            Kind::Nd => ether + IP6 + SOLICITATION - 4,
        };
        let target = match kind {
            Kind::Ip4 | Kind::Ip6 | Kind::Nd => 10 - sender,
            Kind::Arp | Kind::ForeignArp | Kind::Broadcast => sender,
        };
        let length = match kind {
            Kind::Ip4 | Kind::Broadcast => (Some(ether + 2), ether),
            Kind::Ip6 | Kind::Nd => (Some(ether + 4), ether + IP6),
            Kind::Arp | Kind::ForeignArp => (None, kind.length(0, vlan.is_some())),
        };
        Self { kind, words, flows: [sender, target, inner], length, stamp: stamp_at(kind, vlan.is_some()) }
    }

    /// The flow of the frame, if it is one of these.
    #[inline]
    fn fits(&self, frame: &VolatileSlice<'_>) -> Option<u32> {
        let words = frame.get_array_ref::<u64>(0, Self::WORDS).ok()?;
        if (0..Self::WORDS).any(|word| words.load(word) & self.words[word].0 != self.words[word].1) {
            return None;
        }
        let flow =
            |at: usize| frame.get_ref::<u32>(at).map(|value| u32::from_be(value.load()) & 0xff_ffff).ok();
        let [first, second, third] = self.flows.map(flow);
        let said = match self.length.0 {
            Some(at) => frame.get_ref::<u16>(at).map_or(0, |value| usize::from(u16::from_be(value.load()))),
            None => 0,
        };
        first.filter(|_| first == second && second == third && said + self.length.1 == frame.len())
    }
}

/// What a frame turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As it must be: what it is, its flow, and its stamp where it has one.
    Good(Kind, u32, Option<u64>),
    /// Between stations, but not as it must be, or not what the far side sends.
    Bad,
    /// Neither of its addresses is a station's: the device's own.
    Own,
}

/// Knows the frames that arrive at one side.
pub(crate) struct Verifier(Vec<Template>);

impl Verifier {
    /// For frames of `kinds` from the other side, the likeliest kind first. `tags` are those of side A and of side B.
    pub(crate) fn new(kinds: &[Kind], at: Side, tags: Option<[u16; 2]>, expect: Expect) -> Self {
        let tagged_by = if expect == Expect::Bridge { at } else { at.other() };
        let vlan = tags.map(|tags| tags[tagged_by as usize]);
        let template = |&kind: &Kind| Template::new(kind, at.other(), vlan, expect == Expect::Macswap);
        Self(kinds.iter().map(template).collect())
    }

    /// What the frame is.
    #[inline]
    pub(crate) fn look(&self, frame: &VolatileSlice<'_>) -> Seen {
        let found = self.0.iter().find_map(|template| Some((template, template.fits(frame)?)));
        let Some((template, flow)) = found else {
            return if has_station(frame) { Seen::Bad } else { Seen::Own };
        };
        let stamped = |at: &usize| frame.get_ref::<u8>(at - STAMP + 1).is_ok_and(|flag| flag.load() == 1);
        let stamp = template.stamp.filter(stamped).and_then(|at| frame.get_ref::<u64>(at).ok());
        Seen::Good(template.kind, flow, stamp.map(|stamp| stamp.load()))
    }
}

fn has_station(frame: &VolatileSlice<'_>) -> bool {
    let is_station =
        |at| frame.get_ref::<[u8; 3]>(at).is_ok_and(|it| matches!(it.load(), [0x02, 0xaa | 0xbb, 0]));
    is_station(0) || is_station(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: Option<[u16; 2]> = Some([10, 20]);

    fn look(verifier: &Verifier, frame: &[u8]) -> Seen {
        verifier.look(&VolatileSlice::from(&mut frame.to_vec()[..]))
    }

    /// At side B, all kinds.
    fn bridged() -> Verifier {
        Verifier::new(Kind::value_variants(), Side::B, TAGS, Expect::Bridge)
    }

    #[test]
    fn every_frame_is_known_again_by_what_the_device_did() {
        let mut chance = fastrand::Rng::with_seed(2);
        for (tags, expect) in [TAGS, None]
            .into_iter()
            .flat_map(|tags| [Expect::Bridge, Expect::Macswap, Expect::Io].map(|expect| (tags, expect)))
        {
            for at in [Side::A, Side::B] {
                let verifier = Verifier::new(Kind::value_variants(), at, tags, expect);
                let seen_by = if expect == Expect::Bridge { at } else { at.other() };
                let vlan = tags.map(|tags| tags[seen_by as usize]);
                for &kind in Kind::value_variants() {
                    for _ in 0..500 {
                        let (flow, wanted) = (chance.u32(..1 << 24), chance.usize(60..1600));
                        let mut frame = build(kind, at.other(), flow, wanted, vlan, true);
                        if expect == Expect::Macswap {
                            frame[..12].rotate_left(6);
                        }
                        let stamp = kind.is_unicast().then_some(0);
                        assert_eq!(
                            look(&verifier, &frame),
                            Seen::Good(kind, flow, stamp),
                            "{expect:?} {kind:?} {flow}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_flow_is_told_from_all_others_of_its_kind() {
        for &kind in Kind::value_variants() {
            for flow in [0, 50, 1 << 16, (1 << 24) - 1] {
                let frame = build(kind, Side::A, flow, 60, Some(20), false);
                assert_eq!(look(&bridged(), &frame), Seen::Good(kind, flow, None));
            }
        }
    }

    #[test]
    fn what_was_done_to_another_device_s_order_is_refused() {
        let verifier = bridged();
        for &kind in Kind::value_variants() {
            let frame = |from, vlan| build(kind, from, 77, 200, vlan, false);
            assert_eq!(look(&verifier, &frame(Side::A, Some(20))), Seen::Good(kind, 77, None));
            assert_eq!(look(&verifier, &frame(Side::A, Some(10))), Seen::Bad, "tag of the other side");
            assert_eq!(look(&verifier, &frame(Side::A, None)), Seen::Bad, "tag lost");
            assert_eq!(look(&verifier, &frame(Side::B, Some(20))), Seen::Bad, "its own side's");
            let mut swapped = frame(Side::A, Some(20));
            swapped[..12].rotate_left(6);
            assert_eq!(look(&verifier, &swapped), Seen::Bad, "addresses swapped");
        }
    }

    #[test]
    fn wrong_bytes_and_lengths_are_refused() {
        let verifier = bridged();
        for &kind in Kind::value_variants() {
            let good = build(kind, Side::A, 77, 200, Some(20), false);
            // addresses, tag with its priority, type, and the header up to its checksum
            for place in 0..24 {
                let mut frame = good.clone();
                frame[place] ^= 0x01;
                assert!(!matches!(look(&verifier, &frame), Seen::Good(..)), "{kind:?} byte {place}");
            }
            let (short, long) = (&good[..good.len() - 1], [&good[..], &[0]].concat());
            assert_eq!(look(&verifier, short), Seen::Bad, "{kind:?}");
            assert_eq!(look(&verifier, &long), Seen::Bad, "{kind:?}");
        }
    }

    #[test]
    fn a_payload_of_another_flow_is_refused() {
        for kind in [Kind::Ip4, Kind::Ip6, Kind::Broadcast] {
            let mut frame = build(kind, Side::A, 77, 200, Some(20), false);
            frame[mark_at(kind, true).unwrap() + 5] ^= 1;
            assert_eq!(look(&bridged(), &frame), Seen::Bad);
        }
    }

    #[test]
    fn a_kind_that_the_far_side_does_not_send_is_refused() {
        let verifier = Verifier::new(&[Kind::Ip4], Side::B, TAGS, Expect::Bridge);
        assert_eq!(look(&verifier, &build(Kind::Arp, Side::A, 1, 60, Some(20), false)), Seen::Bad);
    }

    #[test]
    fn frames_of_no_station_are_the_device_s_own() {
        let mut frame = build(Kind::Nd, Side::A, 1, 60, Some(20), false);
        frame[6..12].copy_from_slice(&[0x02, 0x51, 0, 0, 0, 0x0a]);
        assert_eq!(look(&bridged(), &frame), Seen::Own);
        assert_eq!(look(&bridged(), &frame[..5]), Seen::Own, "too short to say");
    }
}
