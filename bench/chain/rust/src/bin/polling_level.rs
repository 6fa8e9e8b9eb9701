//! polling in its level mode: registered once, never armed again.

use chain::{Chain, Loop};
use polling::{Event, Events, PollMode, Poller};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::time::Duration;

struct PollingLevel {
    poller: Poller,
    events: Events,
}

impl Loop for PollingLevel {
    fn open() -> io::Result<Self> {
        let events = Events::with_capacity(NonZeroUsize::new(1024).unwrap());
        Ok(PollingLevel {
            poller: Poller::new()?,
            events,
        })
    }

    fn add(&mut self, i: usize, read_end: &UnixStream) -> io::Result<()> {
        // SAFETY: close deletes every source before the chain closes it.
        unsafe {
            self.poller
                .add_with_mode(read_end, Event::readable(i), PollMode::Level)
        }
    }

    fn turn(&mut self, chain: &mut Chain, block: bool) -> io::Result<()> {
        self.events.clear();
        self.poller
            .wait(&mut self.events, (!block).then_some(Duration::ZERO))?;
        for event in self.events.iter() {
            chain.readable(event.key, &mut [0])?;
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
    chain::main::<PollingLevel>()
}
