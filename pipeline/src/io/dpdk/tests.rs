//! DPDK itself, on devices that need neither privilege nor huge pages. One test: it starts once in a process.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::BURST;
use crate::frame::buffer::Buffer;
use crate::io::Io;

const DEVICES: [&str; 4] = ["net_ring0", "net_ring1", "net_null0,size=60", "net_null1"];

fn port(name: &str, device: &str, mtu: u16, tags: u8) -> rules::Port {
    rules::Port { name: name.into(), device: device.into(), mtu, tags }
}

fn frame(queues: &mut Queues, len: usize, fill: u8) -> Mbuf {
    let mut frame = queues.alloc(len).expect("the pool has frames");
    frame.bytes_mut().fill(fill);
    frame
}

#[test]
fn frames_pass_through_ports_and_what_a_port_cannot_do_is_an_error_that_names_it() {
    let ports = [port("left", DEVICES[0], 9000, 2), port("right", DEVICES[2], 1500, 1)];
    let size = PoolSize::of(&ports, 1);
    let options = EalOptions { devices: &DEVICES, workers: &[], frames: size, huge_pages: false };
    let eal = Eal::init(&options).unwrap();
    assert_eq!(eal.memory(), Memory::OrdinaryPages);
    assert!(matches!(Eal::init(&options), Err(Error::AlreadyStarted)));
    let mut pool = Mempool::new(eal, size).unwrap();

    refusals_name_the_port(&mut pool);

    let (mut started, mut queues) = start(&ports, 1, true, &mut pool).unwrap();
    assert_eq!(queues.len(), 1);
    let mut queues = queues.remove(0);
    let again = Port::start(&ports[0], 1, false, &mut pool).unwrap_err().to_string();
    assert!(again.contains("port left: device net_ring0: configuring it failed"), "{again}");
    assert!(started[0].link().up);
    assert!(started[0].mac().is_station() || started[0].mac() == rules::Mac::ZERO);

    what_is_sent_on_a_ring_is_received_from_it(&mut queues);
    what_a_full_queue_does_not_take_stays_in_order(&mut queues);
    stripped_tags_are_put_back(&mut queues);
    growing_and_shrinking_stay_within_the_buffer(&mut queues);
    no_frame_is_lost(&mut queues, size);
    assert!(started[1].stats().received > 0);

    a_port_that_is_asked_for_is_closed_and_brings_nothing_more(started.remove(0), &mut queues);

    std::thread::spawn(move || {
        let _registered = queues.register_thread(allowed_core()).unwrap();
        drop(frame(&mut queues, 60, 1));
    })
    .join()
    .unwrap();
}

fn a_port_that_is_asked_for_is_closed_and_brings_nothing_more(port: Port, queues: &mut Queues) {
    assert!(!port.has_interrupts(), "net_ring has none");
    assert_eq!((port.driver(), port.removal()), ("net_ring", None));
    // as DPDK does when vfio's kernel module asks
    let removed = dpdk_sys::rte_dev_event_type_RTE_DEV_EVENT_REMOVE;
    // SAFETY: the EAL runs; the name is a C string.
    unsafe { dpdk_sys::rte_dev_event_callback_process(c"net_ring1".as_ptr(), removed) };
    assert_eq!(port.removal(), None, "another device's");
    // SAFETY: as above.
    unsafe { dpdk_sys::rte_dev_event_callback_process(c"net_ring0".as_ptr(), removed) };
    assert_eq!(port.removal(), Some(Removal::Asked));

    queues.release(0);
    let mut device = Arc::into_inner(port.device).expect("no queue of it is left");
    assert!(device.shut(Duration::from_secs(3600)));
    assert!(device.close(), "it is closed, and not closed again");
    let mut frames = vec![frame(queues, 60, 1)];
    queues.transmit(0, &mut frames);
    assert_eq!(frames.len(), 1, "nothing takes it");
    queues.discard(&mut frames);
    frames.reserve(BURST);
    queues.receive(0, &mut frames);
    assert!(frames.is_empty());
}

/// A core that this process may run on.
fn allowed_core() -> u16 {
    let cores = rustix::thread::sched_getaffinity(None).unwrap();
    (0..1024).find(|&core| cores.is_set(usize::from(core))).unwrap()
}

fn refusals_name_the_port(pool: &mut Mempool) {
    let refused = |device: &str, queues, pool: &mut Mempool| {
        Port::start(&port("trunk9", device, 1500, 0), queues, false, pool).unwrap_err().to_string()
    };
    let absent = refused("net_nonsense0", 1, pool);
    assert!(absent.starts_with("port trunk9: device net_nonsense0 is not usable by DPDK"), "{absent}");
    let absent = refused("ffff:ff:1f.7", 1, pool);
    assert!(absent.contains("there is no such PCI device"), "{absent}");
    let queues = refused(DEVICES[1], 60_000, pool);
    assert!(queues.contains("port trunk9") && queues.contains("60000 workers need one each"), "{queues}");
}

fn what_is_sent_on_a_ring_is_received_from_it(queues: &mut Queues) {
    let mut out: Vec<Mbuf> = (0..BURST as u8).map(|fill| frame(queues, 9018, fill)).collect();
    queues.transmit(0, &mut out);
    assert!(out.is_empty());
    let mut full = Vec::new();
    queues.receive(0, &mut full);
    assert!(full.is_empty(), "a vector without room receives nothing");

    let mut back = Vec::with_capacity(BURST + 7);
    queues.receive(0, &mut back);
    assert_eq!(back.len(), BURST);
    for (fill, frame) in back.iter().enumerate() {
        assert!(frame.is_whole() && frame.bytes() == [fill as u8; 9018]);
    }
    queues.discard(&mut back);
    assert!(back.is_empty());
}

fn what_a_full_queue_does_not_take_stays_in_order(queues: &mut Queues) {
    let mut out: Vec<Mbuf> = (0..2000_u16)
        .map(|number| {
            let mut frame = frame(queues, 60, 0);
            frame.bytes_mut()[..2].copy_from_slice(&number.to_be_bytes());
            frame
        })
        .collect();
    queues.transmit(0, &mut out);
    assert!(!out.is_empty() && out.len() < 2000, "{}", out.len());
    let taken = 2000 - out.len();
    for (place, frame) in out.iter().enumerate() {
        assert_eq!(frame.bytes()[..2], ((taken + place) as u16).to_be_bytes());
    }
    let mut back = Vec::with_capacity(2000);
    while back.len() < taken {
        queues.receive(0, &mut back);
    }
    assert_eq!(back[taken - 1].bytes()[..2], (taken as u16 - 1).to_be_bytes());
}

fn stripped_tags_are_put_back(queues: &mut Queues) {
    let cases: [(Option<u16>, Option<u16>, &[u8]); 3] = [
        (Some(0x600a), None, &[0x81, 0, 0x60, 0x0a]),
        (None, Some(0x0014), &[0x88, 0xa8, 0, 0x14]),
        (Some(0x000a), Some(0x0014), &[0x88, 0xa8, 0, 0x14, 0x81, 0, 0, 0x0a]),
    ];
    for (inner, outer, tags) in cases {
        let mut stripped = frame(queues, 60, 7);
        stripped.set_stripped(inner, outer);
        let mut out = vec![stripped];
        queues.transmit(0, &mut out);
        let mut back = Vec::with_capacity(BURST);
        queues.receive(0, &mut back);
        assert_eq!(back[0].bytes(), [&[7; 12], tags, &[7; 48]].concat());
    }
}

fn growing_and_shrinking_stay_within_the_buffer(queues: &mut Queues) {
    let mut frame = frame(queues, 60, 7);
    assert!(!frame.grow_front(129));
    assert!(frame.grow_front(128));
    assert_eq!(frame.bytes().len(), 188);
    assert!(!frame.grow_back(60_000));
    assert!(frame.grow_back(4));
    assert_eq!(frame.bytes()[188..], [0; 4]);
    frame.shrink_front(usize::MAX);
    assert!(frame.bytes().is_empty());
    assert!(queues.alloc(60_000).is_none());
}

fn no_frame_is_lost(queues: &mut Queues, size: PoolSize) {
    let mut burst = Vec::with_capacity(BURST);
    for _ in 0..4 * size.count as usize / BURST {
        queues.receive(1, &mut burst);
        assert_eq!(burst.len(), BURST);
        queues.transmit(1, &mut burst);
        queues.discard(&mut burst);
    }
}
