//! The forms that a value of the YAML may have: how each is read, what is expected of it, how the schema says it.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value as Json, json};

use crate::ether::Mac;
use crate::tree::{Node, Value};

/// Why a value is refused, and what would be accepted.
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), hint: hint.into() }
    }

    /// `node` has not the form at all.
    pub(crate) fn found(node: &Node, expected: impl Display) -> Wrong {
        Wrong::new(format!("found {node}"), format!("expected {expected}"))
    }
}

/// The form of a value.
pub(crate) trait Form {
    /// What it is read into.
    type Value;

    /// Reads a value.
    fn read(&self, node: &Node) -> Result<Self::Value, Wrong>;

    /// What is expected, in words: for errors and the reference page.
    fn expected(&self) -> String;

    /// JSON Schema of it.
    fn schema(&self) -> Json;

    /// A value as the YAML would give it: the schema's defaults.
    fn show(&self, value: &Self::Value) -> Json;

    /// A value as an operator would say it.
    fn say(&self, value: &Self::Value) -> String {
        match self.show(value) {
            Json::String(text) => text,
            other => other.to_string(),
        }
    }
}

/// The value that a node's text is parsed into.
fn parsed<F: Form, T: FromStr>(form: &F, node: &Node) -> Result<T, Wrong> {
    node.text().and_then(|text| text.parse().ok()).ok_or_else(|| Wrong::found(node, form.expected()))
}

/// A whole number in a range.
pub(crate) struct Whole<T>(pub(crate) RangeInclusive<T>);

impl<T: Display + PartialEq> Whole<T> {
    fn range(&self) -> String {
        let (least, most) = (self.0.start(), self.0.end());
        if least == most { format!("{least}") } else { format!("{least} to {most}") }
    }
}

impl<T: Copy + Display + PartialEq + PartialOrd + TryFrom<u64> + Into<u64>> Form for Whole<T> {
    type Value = T;

    fn read(&self, node: &Node) -> Result<T, Wrong> {
        match &node.value {
            Value::Number(text, whole) => whole
                .and_then(|value| T::try_from(value).ok())
                .filter(|value| self.0.contains(value))
                .ok_or_else(|| {
                    Wrong::new(format!("{text} is out of range"), format!("expected {}", self.range()))
                }),
            _ => Err(Wrong::found(node, self.expected())),
        }
    }

    fn expected(&self) -> String {
        format!("a whole number, {}", self.range())
    }

    fn schema(&self) -> Json {
        let (least, most): (u64, u64) = ((*self.0.start()).into(), (*self.0.end()).into());
        json!({ "type": "integer", "minimum": least, "maximum": most })
    }

    fn show(&self, value: &T) -> Json {
        let value: u64 = (*value).into();
        json!(value)
    }
}

/// true or false.
pub(crate) struct Switch;

impl Form for Switch {
    type Value = bool;

    fn read(&self, node: &Node) -> Result<bool, Wrong> {
        match node.value {
            Value::Bool(value) => Ok(value),
            _ => Err(Wrong::found(node, self.expected())),
        }
    }

    fn expected(&self) -> String {
        "true or false".into()
    }

    fn schema(&self) -> Json {
        json!({ "type": "boolean" })
    }

    fn show(&self, value: &bool) -> Json {
        json!(value)
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Form for Choice<T> {
    type Value = T;

    fn read(&self, node: &Node) -> Result<T, Wrong> {
        let found = self.0.iter().find(|(word, _)| is_word(node, word));
        found.map(|(_, value)| *value).ok_or_else(|| Wrong::found(node, self.expected()))
    }

    fn expected(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")
    }

    fn schema(&self) -> Json {
        json!({ "enum": self.0.iter().flat_map(|(word, _)| word_values(word)).collect::<Vec<Json>>() })
    }

    fn show(&self, value: &T) -> Json {
        self.0.iter().find(|(_, known)| known == value).map_or(Json::Null, |(word, _)| json!(word))
    }
}

/// Whether a node is this word. `off` is a boolean to YAML 1.1 and to those who write `false`.
pub(crate) fn is_word(node: &Node, word: &str) -> bool {
    match &node.value {
        Value::Text(text) => text == word,
        Value::Bool(false) => word == "off",
        _ => false,
    }
}

/// What the schema accepts for a word.
pub(crate) fn word_values(word: &str) -> Vec<Json> {
    if word == "off" { vec![json!("off"), json!(false)] } else { vec![json!(word)] }
}

/// `off`, or a value.
pub(crate) struct OffOr<F>(pub(crate) F);

impl<F: Form> Form for OffOr<F> {
    type Value = Option<F::Value>;

    fn read(&self, node: &Node) -> Result<Self::Value, Wrong> {
        if is_word(node, "off") {
            return Ok(None);
        }
        self.0
            .read(node)
            .map(Some)
            .map_err(|wrong| Wrong { hint: format!("{}, or off", wrong.hint), ..wrong })
    }

    fn expected(&self) -> String {
        format!("{}, or off", self.0.expected())
    }

    fn schema(&self) -> Json {
        json!({ "anyOf": [{ "enum": word_values("off") }, self.0.schema()] })
    }

    fn show(&self, value: &Self::Value) -> Json {
        value.as_ref().map_or_else(|| json!("off"), |value| self.0.show(value))
    }
}

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A time with its unit, such as `300s`, `500ms`, `5m`, in a range.
pub(crate) struct Time(pub(crate) RangeInclusive<Duration>);

impl Time {
    fn range(&self) -> String {
        format!("{} to {}", duration(*self.0.start()), duration(*self.0.end()))
    }

    fn parse(text: &str) -> Option<Duration> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*milliseconds)?))
    }
}

impl Form for Time {
    type Value = Duration;

    fn read(&self, node: &Node) -> Result<Duration, Wrong> {
        let Some(time) = node.text().and_then(Time::parse) else {
            return Err(Wrong::found(node, self.expected()));
        };
        if self.0.contains(&time) {
            Ok(time)
        } else {
            let message = format!("{} is out of range", duration(time));
            Err(Wrong::new(message, format!("expected {}", self.range())))
        }
    }

    fn expected(&self) -> String {
        format!("a time with its unit (ms, s, m, h), {}", self.range())
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" })
    }

    fn show(&self, value: &Duration) -> Json {
        json!(duration(*value))
    }
}

/// A time as the YAML writes it: in seconds where it is whole seconds.
pub(crate) fn duration(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

/// The largest rate and burst: more than a 400 Gb/s port can carry frames.
pub(crate) const MAX_RATE: u32 = 1_000_000_000;

/// A rate such as `1000/s`.
pub(crate) struct PerSecond;

impl Form for PerSecond {
    type Value = u32;

    fn read(&self, node: &Node) -> Result<u32, Wrong> {
        node.text()
            .and_then(|text| text.strip_suffix("/s"))
            .filter(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|number| number.parse().ok())
            .filter(|rate| (1..=MAX_RATE).contains(rate))
            .ok_or_else(|| Wrong::found(node, self.expected()))
    }

    fn expected(&self) -> String {
        format!("a rate such as 1000/s, 1/s to {MAX_RATE}/s")
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^0*[1-9][0-9]*/s$" })
    }

    fn show(&self, value: &u32) -> Json {
        json!(format!("{value}/s"))
    }
}

/// A station's MAC address, in any notation that operators paste.
pub(crate) struct Station;

impl Form for Station {
    type Value = Mac;

    fn read(&self, node: &Node) -> Result<Mac, Wrong> {
        let mac: Mac = parsed(self, node)?;
        let what = match mac {
            Mac::ZERO => "the zero address",
            _ if mac.is_group() => "a group address",
            _ if mac.is_extreme() => "reserved for Extreme's protocols, and frames to it never cross",
            _ => return Ok(mac),
        };
        Err(Wrong::new(format!("{mac} is {what}"), "expected the address of one station"))
    }

    fn expected(&self) -> String {
        "a MAC address such as 00:21:a0:56:2c:19, 0:21:a0:56:2c:19, 00-21-a0-56-2c-19 or 0021.a056.2c19"
            .into()
    }

    fn schema(&self) -> Json {
        json!({
            "type": ["string", "integer"],
            // Twelve bare digits are a number to YAML.
            "minimum": 100_000_000_000u64,
            "maximum": 999_999_999_999u64,
            "pattern": concat!(
                "^([0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(-[0-9A-Fa-f]{1,2}){5}",
                "|[0-9A-Fa-f]{1,4}([.][0-9A-Fa-f]{1,4}){2}|[0-9A-Fa-f]{12})$"
            ),
        })
    }

    fn show(&self, value: &Mac) -> Json {
        json!(value.to_string())
    }
}

/// A text that is read by a function.
pub(crate) struct Text<T> {
    expected: &'static str,
    /// For the schema: no text that `read` accepts is outside of it.
    pattern: &'static str,
    /// The types of JSON Schema: a number is a text too, as it was written.
    types: &'static [&'static str],
    read: fn(&str) -> Option<T>,
}

impl<T: Display> Form for Text<T> {
    type Value = T;

    fn read(&self, node: &Node) -> Result<T, Wrong> {
        node.text().and_then(self.read).ok_or_else(|| Wrong::found(node, self.expected))
    }

    fn expected(&self) -> String {
        self.expected.into()
    }

    fn schema(&self) -> Json {
        json!({ "type": self.types, "pattern": self.pattern })
    }

    fn show(&self, value: &T) -> Json {
        json!(value.to_string())
    }
}

/// A name of a port, bridge or side: it stands in paths, metric labels and on command lines.
pub(crate) const NAME: Text<String> = Text {
    expected: "a name of letters, digits, _ and -, at most 32, not beginning with -",
    pattern: "^[A-Za-z0-9_][A-Za-z0-9_-]{0,31}$",
    types: &["string", "integer"],
    read: |text| {
        let fits = (1..=32).contains(&text.len()) && !text.starts_with('-');
        let plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        (fits && plain).then(|| text.to_owned())
    },
};

/// A member's name, for people.
pub(crate) const LABEL: Text<String> = Text {
    expected: "a name of 1 to 64 printable characters",
    pattern: "^.{1,64}$",
    types: &["string", "number"],
    read: |text| {
        let fits = (1..=64).contains(&text.chars().count());
        (fits && text.trim() == text && !text.chars().any(char::is_control)).then(|| text.to_owned())
    },
};

/// A group of the system.
pub(crate) const GROUP: Text<String> = Text {
    expected: "the name of a group",
    pattern: "^[A-Za-z_][A-Za-z0-9_.-]{0,31}$",
    types: &["string"],
    read: |text| {
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
        (first && rest && text.len() <= 32).then(|| text.to_owned())
    },
};

/// The path of a Unix socket, which the kernel takes up to 107 bytes of (unix(7)).
pub(crate) const SOCKET: Text<String> = Text {
    expected: "the absolute path of a socket, at most 107 bytes",
    pattern: "^/.*[^/]$",
    types: &["string"],
    read: |text| {
        let file = text.starts_with('/') && !text.ends_with('/');
        (file && text.len() <= 107 && !text.chars().any(char::is_control)).then(|| text.to_owned())
    },
};

/// An address to listen on.
pub(crate) const LISTEN: Text<SocketAddr> = Text {
    expected: "an address and a port such as 127.0.0.1:9273 or [::1]:9273",
    pattern: "^([0-9.]+|\\[[0-9A-Fa-f:.%]+\\]):[0-9]+$",
    types: &["string"],
    read: |text| text.parse().ok().filter(|listen: &SocketAddr| listen.port() != 0),
};

/// A DPDK device.
pub(crate) const DEVICE: Text<String> = Text {
    expected: "a PCI address such as 0000:03:00.0, or a DPDK virtual device such as net_tap0,iface=swA",
    pattern: "^(([0-9A-Fa-f]{4}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}[.][0-7]|[A-Za-z][A-Za-z0-9_]*)(,.+)?$",
    types: &["string"],
    read: |text| {
        let (name, arguments) = text.split_once(',').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        let arguments = arguments.is_none_or(|rest| !rest.is_empty() && !rest.chars().any(char::is_control));
        ((word || pci(name).is_some()) && arguments).then(|| text.to_owned())
    },
};

/// A PCI address in full, lower case: `03:00.0` is `0000:03:00.0`.
fn pci(text: &str) -> Option<String> {
    let full = if text.len() == 7 { format!("0000:{text}") } else { text.to_owned() };
    let shape = full.len() == 12
        && full.bytes().enumerate().all(|(index, c)| match index {
            4 | 7 => c == b':',
            10 => c == b'.',
            11 => (b'0'..=b'7').contains(&c),
            _ => c.is_ascii_hexdigit(),
        });
    shape.then(|| full.to_ascii_lowercase())
}

/// What tells one device from another: the PCI address, or the name of a numbered virtual device (DPDK has one of a
/// name). A virtual device without a number is told by its arguments too.
pub(crate) fn device_identity(device: &str) -> String {
    let name = device.split(',').next().unwrap_or(device);
    match pci(name) {
        Some(address) => address,
        None if name.ends_with(|c: char| c.is_ascii_digit()) => name.to_owned(),
        None => device.to_owned(),
    }
}

/// An IP address of one version.
pub(crate) trait Ip: FromStr + Display + Copy {
    /// Of JSON Schema.
    const FORMAT: &'static str;
    const EXPECTED: &'static str;
    /// Why it cannot be a node's address, if it cannot.
    fn no_host(self) -> Option<&'static str>;
}

impl Ip for Ipv4Addr {
    const FORMAT: &'static str = "ipv4";
    const EXPECTED: &'static str = "an IPv4 address";

    fn no_host(self) -> Option<&'static str> {
        match self {
            _ if self.octets()[0] == 0 => Some("in 0.0.0.0/8"),
            _ if self.is_loopback() => Some("a loopback address"),
            _ if self.octets()[0] >= 224 => Some("a multicast, reserved or broadcast address"),
            _ => None,
        }
    }
}

impl Ip for Ipv6Addr {
    const FORMAT: &'static str = "ipv6";
    const EXPECTED: &'static str = "an IPv6 address";

    fn no_host(self) -> Option<&'static str> {
        match self {
            _ if self.is_unspecified() => Some("the unspecified address"),
            _ if self.is_loopback() => Some("the loopback address"),
            _ if self.is_multicast() => Some("a multicast address"),
            _ if self.segments()[0] & 0xffc0 == 0xfe80 => Some("a link-local address"),
            _ if self.to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
            _ => None,
        }
    }
}

/// The address of a node.
pub(crate) struct Address<A>(pub(crate) std::marker::PhantomData<A>);

/// An IPv4 address of a node.
pub(crate) const ADDRESS4: Address<Ipv4Addr> = Address(std::marker::PhantomData);
/// An IPv6 address of a node, not link-local.
pub(crate) const ADDRESS6: Address<Ipv6Addr> = Address(std::marker::PhantomData);

impl<A: Ip> Form for Address<A> {
    type Value = A;

    fn read(&self, node: &Node) -> Result<A, Wrong> {
        let address: A = parsed(self, node)?;
        match address.no_host() {
            None => Ok(address),
            Some(what) => Err(Wrong::new(format!("{address} is {what}"), "expected the address of one node")),
        }
    }

    fn expected(&self) -> String {
        A::EXPECTED.into()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "format": A::FORMAT })
    }

    fn show(&self, value: &A) -> Json {
        json!(value.to_string())
    }
}

/// A prefix of one IP version.
pub(crate) trait Net: FromStr + Display + Copy + PartialEq {
    type Address: Ip;
    const EXPECTED: &'static str;
    const PATTERN: &'static str;
    fn bits(&self) -> u8;
    /// The prefix without host bits.
    fn network(&self) -> Self;
    fn first(&self) -> Self::Address;
}

impl Net for Ipv4Net {
    type Address = Ipv4Addr;
    const EXPECTED: &'static str = "an IPv4 prefix such as 202.7.0.0/23";
    const PATTERN: &'static str = "^[0-9.]+/(0|[1-9][0-9]?)$";

    fn bits(&self) -> u8 {
        self.prefix_len()
    }

    fn network(&self) -> Ipv4Net {
        self.trunc()
    }

    fn first(&self) -> Ipv4Addr {
        self.addr()
    }
}

impl Net for Ipv6Net {
    type Address = Ipv6Addr;
    const EXPECTED: &'static str = "an IPv6 prefix such as 2001:7fa:3:ca07::/64";
    const PATTERN: &'static str = "^[0-9A-Fa-f:.]+/(0|[1-9][0-9]{0,2})$";

    fn bits(&self) -> u8 {
        self.prefix_len()
    }

    fn network(&self) -> Ipv6Net {
        self.trunc()
    }

    fn first(&self) -> Ipv6Addr {
        self.addr()
    }
}

/// A peering prefix: of unicast addresses, its length in a range, no host bits set.
pub(crate) struct Prefix<N> {
    lengths: RangeInclusive<u8>,
    net: std::marker::PhantomData<N>,
}

/// An exchange's IPv4 prefix.
pub(crate) const PREFIX4: Prefix<Ipv4Net> = Prefix { lengths: 8..=31, net: std::marker::PhantomData };
/// An exchange's IPv6 prefix.
pub(crate) const PREFIX6: Prefix<Ipv6Net> = Prefix { lengths: 16..=127, net: std::marker::PhantomData };

/// A prefix: an address as any other, and a length, which is decimal (RFC 4291 section 2.3). One with a leading zero is octal to some.
fn prefix<N: Net>(node: &Node) -> Option<N> {
    let (address, length) = node.text()?.split_once('/')?;
    let plain = address.parse::<N::Address>().is_ok() && (length == "0" || !length.starts_with('0'));
    node.text()?.parse().ok().filter(|_| plain)
}

/// The prefix, if it has no host bits set.
fn without_host_bits<N: Net>(net: N) -> Result<N, Wrong> {
    let network = net.network();
    if network == net {
        Ok(net)
    } else {
        Err(Wrong::new(format!("{net} has host bits set"), format!("expected {network}")))
    }
}

impl<N: Net> Form for Prefix<N> {
    type Value = N;

    fn read(&self, node: &Node) -> Result<N, Wrong> {
        let net: N = prefix(node).ok_or_else(|| Wrong::found(node, self.expected()))?;
        if !self.lengths.contains(&net.bits()) {
            let (least, most) = (self.lengths.start(), self.lengths.end());
            return Err(Wrong::new(
                format!("{net} is no peering prefix"),
                format!("expected a length of {least} to {most}"),
            ));
        }
        if let Some(what) = net.first().no_host() {
            return Err(Wrong::new(format!("{net} is {what}"), "expected a prefix of unicast addresses"));
        }
        without_host_bits(net)
    }

    fn expected(&self) -> String {
        N::EXPECTED.into()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": N::PATTERN })
    }

    fn show(&self, value: &N) -> Json {
        json!(value.to_string())
    }
}

/// An IPv6 address, or a prefix of some.
pub(crate) struct AddressOrPrefix6;

impl Form for AddressOrPrefix6 {
    type Value = Ipv6Net;

    fn read(&self, node: &Node) -> Result<Ipv6Net, Wrong> {
        match (parsed::<_, Ipv6Addr>(self, node), prefix(node)) {
            (Ok(address), _) => Ok(address.into()),
            (_, Some(net)) => without_host_bits(net),
            _ => Err(Wrong::found(node, self.expected())),
        }
    }

    fn expected(&self) -> String {
        "an IPv6 address or prefix".into()
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f:.]+(/(0|[1-9][0-9]{0,2}))?$" })
    }

    fn show(&self, value: &Ipv6Net) -> Json {
        json!(value.to_string())
    }
}
