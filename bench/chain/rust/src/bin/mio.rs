//! mio: edge-triggered, its only mode. A read that fills less than the buffer
//! has drained the socket (tokio relies on the same), so there is no second
//! read to see "would block".

use chain::{Chain, Loop};
use mio::{unix::SourceFd, Events, Interest, Poll, Token};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

struct Mio {
    poll: Poll,
    events: Events,
    buf: [u8; 64],
}

impl Loop for Mio {
    fn open() -> io::Result<Self> {
        Ok(Mio {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buf: [0; 64],
        })
    }

    fn add(&mut self, i: usize, read_end: &UnixStream) -> io::Result<()> {
        let mut source = SourceFd(&read_end.as_raw_fd());
        self.poll
            .registry()
            .register(&mut source, Token(i), Interest::READABLE)
    }

    fn turn(&mut self, chain: &mut Chain, block: bool) -> io::Result<()> {
        self.poll
            .poll(&mut self.events, (!block).then_some(Duration::ZERO))?;
        for event in &self.events {
            let Token(i) = event.token();
            // A byte that came after its event was taken is read with the one
            // before, and then reported once more.
            loop {
                match chain.readable(i, &mut self.buf) {
                    Ok(n) if n == self.buf.len() => {}
                    Ok(_) => break,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    fn close(self, chain: &Chain) -> io::Result<()> {
        for (read_end, _) in &chain.pairs {
            self.poll
                .registry()
                .deregister(&mut SourceFd(&read_end.as_raw_fd()))?;
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    chain::main::<Mio>()
}
