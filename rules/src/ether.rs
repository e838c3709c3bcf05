//! The words of layer 2: MAC addresses, VLAN identifiers, sides.

use std::fmt;
use std::str::FromStr;

/// A 48-bit MAC address, held in the low 48 bits so that comparing and hashing it is one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mac(u64);

impl Mac {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Mac = Mac(0xffff_ffff_ffff);
    /// 00:00:00:00:00:00, never a station.
    pub const ZERO: Mac = Mac(0);

    /// The address whose value as a 48-bit big-endian number is the low 48 bits of `value`.
    pub const fn from_u64(value: u64) -> Mac {
        Mac(value & 0xffff_ffff_ffff)
    }

    /// The address as a 48-bit big-endian number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The address from its bytes in the order of transmission.
    pub const fn from_bytes(b: [u8; 6]) -> Mac {
        Mac(u64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]]))
    }

    /// The bytes in the order of transmission.
    pub const fn bytes(self) -> [u8; 6] {
        let b = self.0.to_be_bytes();
        [b[2], b[3], b[4], b[5], b[6], b[7]]
    }

    /// Group bit set: multicast or broadcast.
    pub const fn is_group(self) -> bool {
        self.0 & 0x0100_0000_0000 != 0
    }

    /// One of the block 00:e0:2b:00:00:00 to ff of Extreme's EDP and EAPS: the only reserved destinations that are no group's
    /// (docs/spec B.3).
    pub const fn is_extreme(self) -> bool {
        self.0 >> 8 == 0x00_e02b_0000
    }

    /// Can be a station's own address: individual and not zero.
    pub const fn is_station(self) -> bool {
        !self.is_group() && self.0 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.bytes();
        write!(f, "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4], b[5])
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with the text of a MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a MAC address (expected six groups of hex digits such as 00:21:a0:56:2c:19, 0:21:a0:56:2c:19, 00-21-a0-56-2c-19 or 0021.a056.2c19)"
)]
pub struct MacError;

impl FromStr for Mac {
    type Err = MacError;

    /// Every notation that operators paste: colons or dashes with or without leading zeros (arpwatch), Cisco's dotted
    /// triples, and twelve bare digits.
    fn from_str(text: &str) -> Result<Mac, MacError> {
        let hex = |group: &str, most: usize| -> Result<u64, MacError> {
            let ok = !group.is_empty() && group.len() <= most && group.bytes().all(|c| c.is_ascii_hexdigit());
            if ok { u64::from_str_radix(group, 16).map_err(|_| MacError) } else { Err(MacError) }
        };
        let join = |groups: Vec<&str>, count: usize, digits: usize| -> Result<Mac, MacError> {
            if groups.len() != count {
                return Err(MacError);
            }
            let mut value = 0;
            for group in groups {
                value = value << (4 * digits) | hex(group, digits)?;
            }
            Ok(Mac(value))
        };
        match text.trim() {
            t if t.contains(':') => join(t.split(':').collect(), 6, 2),
            t if t.contains('-') => join(t.split('-').collect(), 6, 2),
            t if t.contains('.') => join(t.split('.').collect(), 3, 4),
            t if t.len() == 12 => Ok(Mac(hex(t, 12)?)),
            _ => Err(MacError),
        }
    }
}

/// A usable VLAN identifier: 1 to 4094 (0 is a priority tag, 4095 is reserved: IEEE 802.1Q).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Vid(u16);

impl Vid {
    /// The identifier, if it is one that a VLAN can have.
    pub const fn new(value: u16) -> Option<Vid> {
        if value >= 1 && value <= 4094 { Some(Vid(value)) } else { None }
    }

    /// The number on the wire.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One of the two sides of a bridge, in the order of the YAML. Two sides only: what is not for one is for the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Side {
    /// The side that the YAML names first.
    First = 0,
    /// The side that the YAML names second: the higher-numbered one.
    Second = 1,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Side; 2] = [Side::First, Side::Second];

    /// The side across the bridge.
    pub const fn other(self) -> Side {
        match self {
            Side::First => Side::Second,
            Side::Second => Side::First,
        }
    }

    /// 0 or 1, for arrays with a place for each side.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The side at an array's place: even or odd.
    pub const fn from_index(index: usize) -> Side {
        if index & 1 == 0 { Side::First } else { Side::Second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_are_read_in_every_notation_that_operators_paste() {
        let want = Mac::from_u64(0x0021_a056_2c19);
        for text in
            ["00:21:a0:56:2c:19", "0:21:a0:56:2c:19", "0021.a056.2c19", "00-21-A0-56-2C-19", "0021a0562c19"]
        {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        assert_eq!(want.to_string(), "00:21:a0:56:2c:19");
    }

    #[test]
    fn what_is_no_mac_is_refused() {
        for text in [
            "",
            "0:21:a0:56:2c",
            "0:21:a0:56:2c:19:1",
            "0:21:a0:56:2c:119",
            "0:21:a0:56:2c:+1",
            "0021.a056",
            "::::::",
            "g0:21:a0:56:2c:19",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(MacError), "{text}");
        }
    }
}
