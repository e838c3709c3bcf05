//! Which side a frame belongs to, by its port and tags.

use rules::{Tags, Vid};

use crate::base::At;

/// Which tags on a port lead to which side.
#[derive(Debug, Default)]
pub struct PortMap {
    untagged: Option<At>,
    /// By VID; none on a port without tagged sides.
    single: Option<Box<[Option<At>; 4096]>>,
    /// (outer, inner, side); a few at the most.
    double: Vec<(Vid, Vid, At)>,
}

impl PortMap {
    pub(super) fn add(&mut self, tags: Tags, at: At) {
        match tags {
            Tags::Untagged => self.untagged = Some(at),
            Tags::Single(vid) => {
                let sides = self.single.get_or_insert_with(|| Box::new([None; 4096]));
                sides[usize::from(vid.get())] = Some(at);
            }
            Tags::Double { outer, inner } => self.double.push((outer, inner, at)),
        }
    }

    /// The side of untagged frames.
    #[inline]
    pub fn untagged(&self) -> Option<At> {
        self.untagged
    }

    /// The side of frames with this one tag.
    #[inline]
    pub fn single(&self, vid: u16) -> Option<At> {
        self.single.as_ref()?[usize::from(vid & 0xfff)]
    }

    /// Some side of the port has a service tag.
    pub fn has_double(&self) -> bool {
        !self.double.is_empty()
    }

    /// Some side has this service tag.
    pub fn has_outer(&self, vid: u16) -> bool {
        self.double.iter().any(|(outer, _, _)| outer.get() == vid)
    }

    /// The side of frames with these two tags.
    pub fn double(&self, outer: u16, inner: u16) -> Option<At> {
        self.double.iter().find(|(o, i, _)| o.get() == outer && i.get() == inner).map(|(_, _, at)| *at)
    }
}
