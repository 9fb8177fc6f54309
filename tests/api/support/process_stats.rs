//! The resources that a process uses, as Linux reports them.

/// One sample of a process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessStats {
    /// Resident memory, MiB.
    pub memory_mib: u64,
    /// Open files, connections included.
    pub files: usize,
    /// CPU time since the start, seconds.
    pub cpu_s: f64,
}

impl ProcessStats {
    pub fn of(pid: u32) -> Self {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}"))
                .expect("the process runs, on Linux")
        };
        let status = read("status");
        let resident =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its files").count();
        // The fields after the name, which may contain spaces; the times are in hundredths of a
        // second.
        let stat = read("stat");
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u32 =
            fields[11..13].iter().map(|field| field.parse::<u32>().expect("a number")).sum();
        Self { memory_mib: kib / 1024, files, cpu_s: f64::from(ticks) / 100.0 }
    }
}
