//! Processor time and memory of the server, of Postgres and of Redis, as /proc tells them.

use std::collections::HashMap;
use std::fs;

use serde::Serialize;

use crate::stage::Stage;

pub const NAMES: [&str; 3] = ["tickerd", "postgres", "redis"];
/// Linux counts in these towards programs, whatever its own tick is.
const TICKS_PER_S: f64 = 100.0;

/// Of each of [`NAMES`], and of the machine, at one moment.
pub struct Reading {
    cpu_s: [f64; 3],
    memory_mb: [f64; 3],
    others: Others,
}

/// Of each of [`NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Processors used: 2.0 is two of them all of the time.
    pub cores: [f64; 3],
    /// At the end. Resident; of Postgres its processes' proportional shares, since they share most
    /// of theirs.
    pub memory_mb: [f64; 3],
    pub others: Others,
}

/// What was taken from the load and the servers: figures beside much of it are worth less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Others {
    /// By processes that are not part of this.
    pub cores: f64,
    /// By other machines on the same host.
    pub stolen_cores: f64,
}

impl Usage {
    /// `cores` holds seconds until [`Self::per_second`].
    pub fn add(&mut self, before: &Reading, after: &Reading) {
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

impl Reading {
    /// Nothing where /proc is not that of Linux, or a process is gone.
    pub fn of(stage: &Stage, server: u32) -> Option<Self> {
        let stats = all_stats();
        let postmaster = stage.postgres.pid();
        let backends =
            stats.iter().filter(|(_, stat)| stat.parent == postmaster).map(|(pid, _)| *pid);
        let postgres: Vec<u32> = backends.chain([postmaster]).collect();
        let cpu_s = |pid: &u32| stats.get(pid).map(|stat| stat.cpu_s);
        // Of backends that have ended, the time is the postmaster's children's.
        let postgres_cpu_s =
            postgres.iter().filter_map(cpu_s).sum::<f64>() + stats.get(&postmaster)?.ended_s;
        let cpu_s = [cpu_s(&server)?, postgres_cpu_s, cpu_s(&stage.redis.pid())?];
        // oha is a child of ours that has ended when we look.
        let load_s = stats.get(&std::process::id()).map(|own| own.cpu_s + own.ended_s)?;
        let (busy_s, stolen_s) = parse_machine(&fs::read_to_string("/proc/stat").ok()?)?;
        Some(Self {
            cpu_s,
            others: Others {
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

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    cpu_s: f64,
    /// Of its children that have ended.
    ended_s: f64,
}

fn all_stats() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    });
    stats.collect()
}

/// The name in parentheses may hold anything, so fields count from its end.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |first: usize| {
        let ticks: f64 =
            fields.get(first)?.parse::<f64>().ok()? + fields.get(first + 1)?.parse::<f64>().ok()?;
        Some(ticks / TICKS_PER_S)
    };
    Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu_s: seconds(11)?, ended_s: seconds(13)? })
}

/// Seconds in which the machine's processors were busy, and those that its host took: the first
/// line of `/proc/stat`.
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

/// Each page counts by how many share it: summed resident sizes would count shared buffers once a
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
    fn reads_a_stat_whose_name_is_a_trap() {
        let text = "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 20 30 20 0 1 0 99";
        assert_eq!(parse_stat(text), Some(Stat { parent: 7, cpu_s: 2.0, ended_s: 0.5 }));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn reads_sizes() {
        assert_eq!(
            kb_of_line("Rss:   10 kB\nPss:                2048 kB\nPss_Anon: 1 kB", "Pss:").map(mb),
            Some(2.0)
        );
    }

    #[test]
    fn cores_are_seconds_a_second() {
        let others = Others { cores: 0.0, stolen_cores: 0.0 };
        let reading =
            |cpu_s, memory_mb| Reading { cpu_s: [cpu_s; 3], memory_mb: [memory_mb; 3], others };
        let mut usage = Usage::default();
        usage.add(&reading(1.0, 1.0), &reading(4.0, 5.0));
        usage.add(&reading(6.0, 5.0), &reading(7.0, 6.0));
        assert_eq!(usage.per_second(8.0), Usage { cores: [0.5; 3], memory_mb: [6.0; 3], others });
    }

    #[test]
    fn reads_what_the_machine_did() {
        let text = "cpu  100 10 40 900 5 20 30 70 0 0\ncpu0 1 2 3";
        assert_eq!(parse_machine(text), Some((2.0, 0.7)));
    }
}
