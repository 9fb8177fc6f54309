//! The processor time and memory of the server, Postgres and Redis, from `/proc`.

use std::collections::HashMap;
use std::fs;

use serde::Serialize;

use crate::stage::Stage;

pub const NAMES: [&str; 3] = ["tickerd", "postgres", "redis"];
/// The unit of times in `/proc`: USER_HZ, which is 100 on all common architectures.
const TICKS_PER_S: f64 = 100.0;

/// The totals of each of [`NAMES`] and of the machine at one moment.
pub struct ResourceSnapshot {
    cpu_s: [f64; 3],
    memory_mb: [f64; 3],
    others: OtherUsage,
}

/// The usage of each of [`NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ResourceUsage {
    /// The number of cores in use: 2.0 means two cores all the time.
    pub cores: [f64; 3],
    /// The memory at the end: resident size, and for Postgres the proportional set size of all its
    /// processes, as they share most of their memory.
    pub memory_mb: [f64; 3],
    pub others: OtherUsage,
}

/// The usage of other programs. Figures are less reliable if it is high.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OtherUsage {
    /// Cores used by processes that are not part of the load test.
    pub cores: f64,
    /// Cores that the host gave to other virtual machines.
    pub stolen_cores: f64,
}

impl ResourceUsage {
    /// Adds a turn. `cores` is in seconds until [`Self::per_second`].
    pub fn add(&mut self, before: &ResourceSnapshot, after: &ResourceSnapshot) {
        for i in 0..NAMES.len() {
            self.cores[i] += after.cpu_s[i] - before.cpu_s[i];
        }
        self.memory_mb = after.memory_mb;
        self.others.cores += after.others.cores - before.others.cores;
        self.others.stolen_cores += after.others.stolen_cores - before.others.stolen_cores;
    }

    pub fn per_second(mut self, seconds: f64) -> Self {
        self.cores = self.cores.map(|cpu_s| cpu_s / seconds);
        self.others.cores = (self.others.cores / seconds).max(0.0);
        self.others.stolen_cores /= seconds;
        self
    }
}

/// The processor time of a process so far, user and system, in seconds.
pub fn cpu_s(pid: u32) -> Option<f64> {
    Some(parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?.cpu_s)
}

impl ResourceSnapshot {
    /// The processor time of the server so far, in seconds.
    pub fn server_s(&self) -> f64 {
        self.cpu_s[0]
    }

    /// `None` without Linux's `/proc`, or if a process has exited.
    pub fn of(stage: &Stage, server: u32) -> Option<Self> {
        let stats = all_stats();
        let postmaster = stage.postgres.pid();
        let backends =
            stats.iter().filter(|(_, stat)| stat.parent == postmaster).map(|(pid, _)| *pid);
        let postgres: Vec<u32> = backends.chain([postmaster]).collect();
        let cpu_s = |pid: &u32| stats.get(pid).map(|stat| stat.cpu_s);
        // The postmaster's children include backends that have ended.
        let postgres_cpu_s =
            postgres.iter().filter_map(cpu_s).sum::<f64>() + stats.get(&postmaster)?.ended_s;
        let cpu_s = [cpu_s(&server)?, postgres_cpu_s, cpu_s(&stage.redis.pid())?];
        // oha is a child of this process and has ended.
        let load_s = stats.get(&std::process::id()).map(|own| own.cpu_s + own.ended_s)?;
        let (busy_s, stolen_s) = parse_machine(&fs::read_to_string("/proc/stat").ok()?)?;
        Some(Self {
            cpu_s,
            others: OtherUsage {
                cores: busy_s - load_s - cpu_s.iter().sum::<f64>(),
                stolen_cores: stolen_s,
            },
            memory_mb: [
                resident_mb(server)?,
                proportional_mb(&postgres),
                resident_mb(stage.redis.pid())?,
            ],
        })
    }
}

/// The content of `/proc/PID/stat`.
#[derive(Debug, PartialEq)]
struct ProcessStat {
    parent: u32,
    cpu_s: f64,
    /// The time of its children that have ended.
    ended_s: f64,
}

fn all_stats() -> HashMap<u32, ProcessStat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    });
    stats.collect()
}

/// The name in parentheses may contain any characters, so fields are counted from its end.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |first: usize| {
        let ticks: f64 =
            fields.get(first)?.parse::<f64>().ok()? + fields.get(first + 1)?.parse::<f64>().ok()?;
        Some(ticks / TICKS_PER_S)
    };
    let parent = fields.get(1)?.parse().ok()?;
    Some(ProcessStat { parent, cpu_s: seconds(11)?, ended_s: seconds(13)? })
}

/// The seconds in which the processors of the machine were busy, and those that the host gave to
/// others, from the first line of `/proc/stat`.
fn parse_machine(text: &str) -> Option<(f64, f64)> {
    let ticks: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, interrupts, soft_interrupts, stolen, ..] = ticks[..]
    else {
        return None;
    };
    Some((
        (user + nice + system + interrupts + soft_interrupts) / TICKS_PER_S,
        stolen / TICKS_PER_S,
    ))
}

fn resident_mb(pid: u32) -> Option<f64> {
    kb_of_line(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:").map(mb)
}

/// The sum of the proportional set sizes. Resident sizes would count shared buffers for each
/// backend.
fn proportional_mb(pids: &[u32]) -> f64 {
    let read = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    mb(pids.iter().filter_map(read).filter_map(|text| kb_of_line(&text, "Pss:")).sum())
}

fn kb_of_line(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

fn mb(kb: f64) -> f64 {
    kb / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_stats_are_parsed_after_a_misleading_name() {
        let text = "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 20 30 20 0 1 0 99";
        assert_eq!(parse_stat(text), Some(ProcessStat { parent: 7, cpu_s: 2.0, ended_s: 0.5 }));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn memory_sizes_are_parsed() {
        assert_eq!(
            kb_of_line("Rss:   10 kB\nPss:                2048 kB\nPss_Anon: 1 kB", "Pss:").map(mb),
            Some(2.0)
        );
    }

    #[test]
    fn cores_are_processor_seconds_per_second() {
        let others = OtherUsage { cores: 0.0, stolen_cores: 0.0 };
        let snapshot = |cpu_s, memory_mb| ResourceSnapshot {
            cpu_s: [cpu_s; 3],
            memory_mb: [memory_mb; 3],
            others,
        };
        let mut usage = ResourceUsage::default();
        usage.add(&snapshot(1.0, 1.0), &snapshot(4.0, 5.0));
        usage.add(&snapshot(6.0, 5.0), &snapshot(7.0, 6.0));
        let expected = ResourceUsage { cores: [0.5; 3], memory_mb: [6.0; 3], others };
        assert_eq!(usage.per_second(8.0), expected);
    }

    #[test]
    fn machine_stats_are_parsed() {
        let text = "cpu  100 10 40 900 5 20 30 70 0 0\ncpu0 1 2 3";
        assert_eq!(parse_machine(text), Some((2.0, 0.7)));
    }
}
