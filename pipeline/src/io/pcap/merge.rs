//! Several captures as one stream.

use std::fs::File;
use std::io::Read;
use std::iter::Peekable;

use super::captured::{Captured, Error};
use super::reader::Reader;

/// Several captures merged by time: of the frames that are next in each, the earliest; of equally early ones, that of
/// the first capture. A capture whose own stamps go backwards keeps the order of its file.
///
/// Yields a frame with the position of its capture. The error of a capture comes right after its last whole record; the
/// others can be read on after it.
#[derive(Debug)]
pub struct Merge<R: Read = File> {
    inputs: Vec<Peekable<Reader<R>>>,
}

impl<R: Read> Merge<R> {
    /// Merges these, first come first served.
    pub fn new(readers: impl IntoIterator<Item = Reader<R>>) -> Merge<R> {
        Merge { inputs: readers.into_iter().map(Iterator::peekable).collect() }
    }
}

impl<R: Read> Iterator for Merge<R> {
    type Item = Result<(usize, Captured), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.inputs.iter_mut().enumerate().filter_map(|(index, input)| {
            let time = input.peek()?.as_ref().ok().map(|captured| captured.time);
            Some((index, time))
        });
        // An error is `None` here, hence the earliest; `min_by_key` takes the first of equals.
        let (index, _) = heads.min_by_key(|&(_, time)| time)?;
        Some(self.inputs[index].next()?.map(|captured| (index, captured)))
    }
}
