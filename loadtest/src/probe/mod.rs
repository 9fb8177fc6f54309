//! Measures processor time, memory and Redis commands during the load.

mod commands;
mod processes;

use std::time::Instant;

use crate::LoadtestError;
use crate::stage::Stage;
pub use commands::{RedisCommands, version as redis_version};
use processes::ResourceSnapshot;
pub use processes::{NAMES as PROCESSES, OtherUsage, ResourceUsage, cpu_s};

/// Measures during turns; what happens between them does not count.
pub struct ResourceMeter<'a> {
    stage: &'a Stage,
    /// The process id of the server.
    pid: u32,
    /// The state at the start of the current turn.
    started: Option<(Instant, Option<ResourceSnapshot>, RedisCommands)>,
    seconds: f64,
    usage: Option<ResourceUsage>,
    commands: RedisCommands,
}

impl<'a> ResourceMeter<'a> {
    pub fn new(stage: &'a Stage, pid: u32) -> Self {
        Self {
            stage,
            pid,
            started: None,
            seconds: 0.0,
            usage: None,
            commands: RedisCommands::default(),
        }
    }

    pub fn resume(&mut self) -> Result<(), LoadtestError> {
        let commands = RedisCommands::read(self.stage)?;
        self.started = Some((Instant::now(), ResourceSnapshot::of(self.stage, self.pid), commands));
        Ok(())
    }

    /// Ends a turn. Returns the processor time that the server used in it, in seconds.
    pub fn pause(&mut self) -> Result<Option<f64>, LoadtestError> {
        let Some((started, snapshot, commands)) = self.started.take() else { return Ok(None) };
        self.seconds += started.elapsed().as_secs_f64();
        let mut server_s = None;
        if let (Some(before), Some(after)) = (snapshot, ResourceSnapshot::of(self.stage, self.pid))
        {
            self.usage.get_or_insert_default().add(&before, &after);
            server_s = Some(after.server_s() - before.server_s());
        }
        self.commands.add(&RedisCommands::read(self.stage)?.since(&commands));
        Ok(server_s)
    }

    /// The cores used, and the memory at the end; `None` on systems without Linux's `/proc`.
    pub fn usage(&self) -> Option<ResourceUsage> {
        self.usage.clone().map(|usage| usage.per_second(self.seconds))
    }

    pub fn commands(&self) -> &RedisCommands {
        &self.commands
    }

    pub fn seconds(&self) -> f64 {
        self.seconds
    }
}
