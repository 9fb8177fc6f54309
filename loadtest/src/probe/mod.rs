//! What the processes and Redis did while they were asked.

mod commands;
mod processes;

use std::time::Instant;

use crate::Failure;
use crate::stage::Stage;
pub use commands::{Commands, version as redis_version};
use processes::Reading;
pub use processes::{NAMES as PROCESSES, Others, Usage};

/// Watches from turn to turn; what happens between them does not count.
pub struct Meter<'a> {
    stage: &'a Stage,
    pid: u32,
    begun: Option<(Instant, Option<Reading>, Commands)>,
    seconds: f64,
    usage: Option<Usage>,
    commands: Commands,
}

impl<'a> Meter<'a> {
    /// `pid` is that of the server.
    pub fn new(stage: &'a Stage, pid: u32) -> Self {
        Self { stage, pid, begun: None, seconds: 0.0, usage: None, commands: Commands::default() }
    }

    pub fn resume(&mut self) -> Result<(), Failure> {
        let commands = Commands::read(self.stage)?;
        self.begun = Some((Instant::now(), Reading::of(self.stage, self.pid), commands));
        Ok(())
    }

    pub fn pause(&mut self) -> Result<(), Failure> {
        let Some((begun, reading, commands)) = self.begun.take() else { return Ok(()) };
        self.seconds += begun.elapsed().as_secs_f64();
        if let (Some(before), Some(after)) = (reading, Reading::of(self.stage, self.pid)) {
            self.usage.get_or_insert_default().add(&before, &after);
        }
        self.commands.add(&Commands::read(self.stage)?.since(&commands));
        Ok(())
    }

    /// Cores used and memory held at the end; nothing where there is no /proc.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.clone().map(|usage| usage.per_second(self.seconds))
    }

    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    pub fn seconds(&self) -> f64 {
        self.seconds
    }
}
