//! polling in its default mode: one shot, armed again after each event.

use chain::{Chain, Loop};
use polling::{Event, Events, Poller};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::time::Duration;

struct Polling {
    poller: Poller,
    events: Events,
}

impl Loop for Polling {
    fn open() -> io::Result<Self> {
        let events = Events::with_capacity(NonZeroUsize::new(1024).unwrap());
        Ok(Polling {
            poller: Poller::new()?,
            events,
        })
    }

    fn add(&mut self, i: usize, read_end: &UnixStream) -> io::Result<()> {
        // SAFETY: close deletes every source before the chain closes it.
        unsafe { self.poller.add(read_end, Event::readable(i)) }
    }

    fn turn(&mut self, chain: &mut Chain, block: bool) -> io::Result<()> {
        self.events.clear();
        self.poller
            .wait(&mut self.events, (!block).then_some(Duration::ZERO))?;
        for event in self.events.iter() {
            chain.readable(event.key, &mut [0])?;
            self.poller
                .modify(&chain.pairs[event.key].0, Event::readable(event.key))?;
        }
        Ok(())
    }

    fn close(self, chain: &Chain) -> io::Result<()> {
        for (read_end, _) in &chain.pairs {
            self.poller.delete(read_end)?;
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    chain::main::<Polling>()
}
