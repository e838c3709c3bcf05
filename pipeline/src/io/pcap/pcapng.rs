//! pcapng: blocks, interfaces and their clocks, read; and the header of a file that is written.

use std::io::Read;

use super::captured::{Captured, ETHERNET, Error, MAX_FRAME};
use super::input::{Input, Order};
use crate::base::time::Time;

/// The type of a Section Header Block, the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Block types: Interface Description, Packet (obsolete), Simple Packet, Enhanced Packet.
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
pub(super) const ENHANCED_PACKET: u32 = 6;

/// Options of an interface.
const END: u16 = 0;
const TSRESOL: u16 = 9;
const FCSLEN: u16 = 13;
const TSOFFSET: u16 = 14;

/// More interfaces in a section than any capture has; a hostile one could describe them without end.
const MAX_INTERFACES: usize = 1 << 16;

/// A section of unknown length and its only interface, whose stamps are nanoseconds: the words of a little-endian file.
pub(super) fn nanosecond_header() -> [u32; 15] {
    let option = u32::from(TSRESOL) | 1 << 16; // its code, and the length of its value
    let section = u32::from_le_bytes(SECTION_HEADER);
    let (version, unknown) = (1, u32::MAX); // 1.0, as two halves
    #[rustfmt::skip]
    let words = [
        section, 28, 0x1a2b_3c4d, version, unknown, unknown, 28,
        INTERFACE, 32, ETHERNET, MAX_FRAME, option, 9, END as u32, 32,
    ];
    words
}

/// What holds from one Section Header Block to the next.
#[derive(Debug)]
pub(super) struct Section {
    interfaces: Vec<Interface>,
    /// The stamp of the record before, for records that have none.
    last: Time,
}

impl Section {
    /// Reads the first Section Header Block, after its type.
    pub(super) fn open<R: Read>(input: &mut Input<R>) -> Result<Section, Error> {
        section_header(input)?;
        Ok(Section { interfaces: Vec::new(), last: Time::ZERO })
    }

    /// Reads up to and with the next packet.
    pub(super) fn record<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Captured>, Error> {
        while let Some(kind) = input.array_or_end()? {
            if kind == SECTION_HEADER {
                section_header(input)?;
                self.interfaces.clear();
                continue;
            }
            let kind = input.order.u32(kind);
            let length = input.u32()?;
            let mut block = Block::new(input, length, 8)?;
            let captured = match kind {
                INTERFACE => {
                    if self.interfaces.len() == MAX_INTERFACES {
                        return Err(block.input.malformed("more than 65536 interfaces"));
                    }
                    self.interfaces.push(Interface::read(&mut block)?);
                    None
                }
                PACKET => {
                    let interface = block.u16()?;
                    block.u16()?; // how many frames were lost before this one
                    Some(self.stamped(&mut block, interface.into())?)
                }
                ENHANCED_PACKET => {
                    let interface = block.u32()?;
                    Some(self.stamped(&mut block, interface)?)
                }
                SIMPLE_PACKET => Some(self.unstamped(&mut block)?),
                _ => None,
            };
            block.finish()?;
            if let Some(captured) = captured {
                self.last = captured.time;
                return Ok(Some(captured));
            }
        }
        Ok(None)
    }

    fn interface<R: Read>(&self, number: u32, block: &Block<'_, R>) -> Result<&Interface, Error> {
        let interface = self.interfaces.get(number as usize);
        interface.ok_or_else(|| block.input.malformed("an interface that was not described"))
    }

    /// The rest of a packet with a stamp.
    fn stamped<R: Read>(&self, block: &mut Block<'_, R>, interface: u32) -> Result<Captured, Error> {
        let interface = self.interface(interface, block)?;
        let ticks = u64::from(block.u32()?) << 32 | u64::from(block.u32()?);
        let time = interface.time(ticks);
        let time = time.ok_or_else(|| block.input.malformed("a time before 1970 or after 2554"))?;
        let captured_len = block.u32()?;
        let original_len = block.u32()?;
        Ok(Captured { time, frame: block.frame(captured_len)?, original_len })
    }

    /// A Simple Packet: from interface 0, with neither a stamp nor a captured length.
    fn unstamped<R: Read>(&self, block: &mut Block<'_, R>) -> Result<Captured, Error> {
        let snaplen = self.interface(0, block)?.snaplen;
        let original_len = block.u32()?;
        let captured_len = if snaplen == 0 { original_len } else { original_len.min(snaplen) };
        Ok(Captured { time: self.last, frame: block.frame(captured_len)?, original_len })
    }
}

/// The rest of a Section Header Block after its type; sets the byte order of what follows.
fn section_header<R: Read>(input: &mut Input<R>) -> Result<(), Error> {
    let length = input.array()?;
    input.order = match input.array()? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
        [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
        _ => return Err(input.malformed("a section without byte-order mark")),
    };
    let mut block = Block::new(input, input.order.u32(length), 12)?;
    if block.u16()? != 1 {
        return Err(block.input.malformed("another version than pcapng 1"));
    }
    block.finish()
}

/// What an Interface Description Block says of the stamps and lengths of its packets.
#[derive(Debug)]
struct Interface {
    tick: Tick,
    /// if_tsoffset, in seconds.
    offset: i64,
    /// 0: no limit.
    snaplen: u32,
}

/// The unit of an interface's stamps (if_tsresol), as a negative power of ten or of two of a second.
#[derive(Debug)]
enum Tick {
    Decimal(u32),
    Binary(u32),
}

impl Tick {
    fn new([tsresol]: [u8; 1]) -> Tick {
        let power = u32::from(tsresol & 0x7f);
        if tsresol & 0x80 == 0 { Tick::Decimal(power) } else { Tick::Binary(power) }
    }
}

impl Interface {
    fn read<R: Read>(block: &mut Block<'_, R>) -> Result<Interface, Error> {
        let link_type = block.u16()?;
        block.u16()?; // reserved
        let mut interface = Interface { tick: Tick::Decimal(6), offset: 0, snaplen: block.u32()? };
        let mut fcs = false;
        while block.left > 0 {
            let (code, len) = (block.u16()?, block.u16()?);
            let value = block.frame(len.into())?;
            block.skip(len.wrapping_neg() % 4)?;
            match code {
                END => break,
                TSRESOL => interface.tick = Tick::new(block.option(value)?),
                FCSLEN => fcs = block.option(value)? != [0],
                TSOFFSET => interface.offset = block.input.order.i64(block.option(value)?),
                _ => {}
            }
        }
        block.input.expect_ethernet(link_type.into(), fcs)?;
        Ok(interface)
    }

    /// The moment of a stamp, if it is one that nanoseconds since 1970 can tell.
    fn time(&self, ticks: u64) -> Option<Time> {
        let ticks = u128::from(ticks);
        let nanos = match self.tick {
            Tick::Decimal(power @ 0..=9) => ticks * 10_u128.pow(9 - power),
            // Where the divisor overflows, 64 bits of ticks are less than a nanosecond.
            Tick::Decimal(power) => 10_u128.checked_pow(power - 9).map_or(0, |divisor| ticks / divisor),
            // 64 bits of ticks and 30 of factor; the power has 7 bits.
            Tick::Binary(power) => (ticks * 1_000_000_000) >> power,
        };
        let nanos = i128::try_from(nanos).ok()? + i128::from(self.offset) * 1_000_000_000;
        u64::try_from(nanos).ok().map(Time::from_nanos)
    }
}

/// A block's content, of which no more is read than there is.
struct Block<'a, R: Read> {
    input: &'a mut Input<R>,
    length: u32,
    left: u32,
}

impl<'a, R: Read> Block<'a, R> {
    /// A block that says it is so long, of which `read` bytes were read.
    fn new(input: &'a mut Input<R>, length: u32, read: u32) -> Result<Block<'a, R>, Error> {
        match length.checked_sub(read + 4) {
            Some(left) if length.is_multiple_of(4) => Ok(Block { input, length, left }),
            _ => Err(input.malformed("an impossible block length")),
        }
    }

    fn take(&mut self, count: u32) -> Result<(), Error> {
        match self.left.checked_sub(count) {
            Some(left) => self.left = left,
            None => return Err(self.input.malformed("a block shorter than its content")),
        }
        Ok(())
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.take(2)?;
        self.input.u16()
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take(4)?;
        self.input.u32()
    }

    fn frame(&mut self, len: u32) -> Result<Vec<u8>, Error> {
        self.take(len)?;
        self.input.frame(len)
    }

    /// The value of an option of fixed size.
    fn option<const N: usize>(&self, value: Vec<u8>) -> Result<[u8; N], Error> {
        value.try_into().map_err(|_| self.input.malformed("an interface option of the wrong length"))
    }

    fn skip(&mut self, count: u16) -> Result<(), Error> {
        self.take(count.into())?;
        self.input.skip(count.into())
    }

    /// Skips what is left (padding, options) up to the end of the block, where its length stands once more.
    fn finish(self) -> Result<(), Error> {
        self.input.skip(self.left)?;
        if self.input.u32()? != self.length {
            return Err(self.input.malformed("a block whose two lengths differ"));
        }
        Ok(())
    }
}
