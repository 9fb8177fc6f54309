//! What a process takes of its machine, as Linux tells it.

/// One look at a process.
#[derive(Debug, Clone, Copy)]
pub struct Vitals {
    /// Resident memory, MiB.
    pub memory_mib: u64,
    /// Open files, connections among them.
    pub files: usize,
    /// Processor time since it began, seconds.
    pub cpu_s: f64,
}

impl Vitals {
    pub fn of(pid: u32) -> Self {
        let read = |what: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{what}")).expect("it runs, on Linux")
        };
        let status = read("status");
        let resident =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its files").count();
        // After the name, which may hold anything; in hundredths of a second.
        let stat = read("stat");
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u32 =
            fields[11..13].iter().map(|field| field.parse::<u32>().expect("a number")).sum();
        Self { memory_mib: kib / 1024, files, cpu_s: f64::from(ticks) / 100.0 }
    }
}
