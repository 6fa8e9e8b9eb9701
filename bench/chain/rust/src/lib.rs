//! The driver of libevent's chain benchmark for loops written in Rust; what it
//! does, and why, is told in ../chain.h.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// One contender: a loop that watches the read ends of the chain.
pub trait Loop: Sized {
    fn open() -> io::Result<Self>;
    /// Watches the pair's read end, known as `i`.
    fn add(&mut self, i: usize, read_end: &UnixStream) -> io::Result<()>;
    /// Waits once and passes what is ready to the chain.
    fn turn(&mut self, chain: &mut Chain, block: bool) -> io::Result<()>;
    /// Forgets every read end; they are closed after it.
    fn close(self, chain: &Chain) -> io::Result<()>;
}

pub struct Chain {
    pub pairs: Vec<(UnixStream, UnixStream)>,
    writes_left: u64,
    sent: u64,
    received: u64,
}

impl Chain {
    fn new(n: usize, writes: u64) -> io::Result<Chain> {
        let mut pairs = Vec::with_capacity(n);
        for _ in 0..n {
            let (read_end, write_end) = UnixStream::pair()?;
            read_end.set_nonblocking(true)?;
            write_end.set_nonblocking(true)?;
            pairs.push((read_end, write_end));
        }
        Ok(Chain {
            pairs,
            writes_left: writes,
            sent: 0,
            received: 0,
        })
    }

    fn send(&mut self, i: usize) -> io::Result<()> {
        (&self.pairs[i].1).write_all(&[i as u8])?;
        self.sent += 1;
        Ok(())
    }

    /// Reads into `buf` once and passes on each byte; tells how many there were.
    #[inline]
    pub fn readable(&mut self, i: usize, buf: &mut [u8]) -> io::Result<usize> {
        let got = (&self.pairs[i].0).read(buf)?;
        for &byte in &buf[..got] {
            assert_eq!(byte, i as u8, "a byte of another pair");
            self.received += 1;
            if self.writes_left > 0 {
                self.writes_left -= 1;
                let next = i + 1;
                self.send(if next == self.pairs.len() { 0 } else { next })?;
            }
        }
        Ok(got)
    }
}

fn flag(name: &str, default: u64) -> u64 {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|a| a == name) {
        Some(at) => args[at + 1].parse().expect("a number"),
        None => default,
    }
}

fn run<L: Loop>(run: u64, n: usize, active: usize, writes: u64) -> io::Result<()> {
    let mut chain = Chain::new(n, writes)?;
    let mut watcher = L::open()?;

    let begin = Instant::now();
    for i in 0..n {
        watcher.add(i, &chain.pairs[i].0)?;
    }
    watcher.turn(&mut chain, false)?;
    let register = begin.elapsed();

    for i in 0..active {
        chain.send(i * n / active)?;
    }
    let fired = Instant::now();
    while chain.received < chain.sent {
        watcher.turn(&mut chain, true)?;
    }
    let dispatch = fired.elapsed();

    assert_eq!(
        chain.received,
        active as u64 + writes,
        "the number of bytes"
    );
    println!(
        "{{\"run\":{run},\"register_ns\":{},\"dispatch_ns\":{},\"events\":{}}}",
        register.as_nanos(),
        dispatch.as_nanos(),
        chain.received
    );
    watcher.close(&chain)
}

/// The whole program of a contender.
pub fn main<L: Loop>() -> io::Result<()> {
    let (n, active) = (flag("-n", 100), flag("-a", 1));
    let (writes, runs) = (flag("-w", 10_000), flag("-r", 1));
    for i in 0..runs {
        run::<L>(i, n as usize, active as usize, writes)?;
    }
    Ok(())
}
